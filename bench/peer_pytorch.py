#!/usr/bin/env python3
"""Times one Expire-Span training step in PyTorch, alone or against fade, at the same sizes and threads.

A step is forward, backward, clipping, Adam, and forgetting, in float32 unless --precision says otherwise, with exactly L context
rows (memory, then the block) in every layer and stream. The model is the one in peer_model.py. Needs torch (2.6 or later, for its
FlexAttention), safetensors and pyyaml.

    peer_pytorch.py --golden                             first check losses and gradients against the goldens, in float64
    peer_pytorch.py --live 192 384 576 [--compile]       time PyTorch
    peer_pytorch.py --live 1024 --device cuda --precision bf16 --compile layers --config configs/enwik8_12l.yaml
                                                         on a GPU, with the sizes of a config
    peer_pytorch.py --live 192 384 576 --against "build/fade bench configs/enwik8_cpu.yaml"
                                                         time both, pair by pair, with the sizes of that config
"""

import argparse
import ctypes
import itertools
import json
import os
import platform
import shlex
import statistics
import subprocess
import sys
import time
from dataclasses import fields, replace
from pathlib import Path

import torch
from torch import nn

from peer_model import FORGOTTEN, FlexModel, Model, Sizes, check_goldens, forget, read_sizes


class Bench:
    """The step with L context rows in every layer and stream, of which `live_fraction` (a mean over streams) are live."""

    def __init__(self, z: Sizes, live: int, live_fraction: float, compiled=None, device="cpu", autocast=False, flex=False):
        self.z, rows = z, live - z.block
        self.autocast = torch.autocast(device, torch.bfloat16, enabled=autocast)
        # S is at least 2 L, so spans are at least 1.5 L: all live
        self.model = (FlexModel if flex else Model)(z, initial_span=0.75).to(device)
        for layer in self.model.layers:
            if flex:
                layer.prepare(live, device)
            if compiled == "layers":  # the first is compiled, and its code runs for all
                layer.compile(dynamic=False)
        self.forward = torch.compile(self.model, dynamic=False) if compiled == "model" else self.model
        self.optimizer = torch.optim.Adam(self.model.parameters(), lr=1e-4, fused=True)
        self.tokens = torch.randint(z.vocab, (z.batch, z.block + 1), device=device)
        # Stream 0 keeps every row, so that the others must be padded to L; the dead rows are shared out among these.
        self.age = torch.arange(rows, 0, -1.0).repeat(z.batch, 1)
        dead = round((1 - live_fraction) * live * z.batch / max(1, z.batch - 1))
        if dead > rows:
            raise SystemExit(f"--live-fraction {live_fraction}: too small, only the {rows} rows of memory can be dead")
        for stream in range(1, z.batch):
            self.age[stream, torch.randperm(rows)[:dead]] = FORGOTTEN
        self.age = self.age.to(device)
        self.memory = [(torch.randn(z.batch, rows, z.hidden, device=device), self.age) for _ in range(z.layers)]

    def step(self):
        with self.autocast:
            loss, aux, seen = self.forward(self.tokens[:, :-1], self.tokens[:, 1:], self.memory)
        self.optimizer.zero_grad(set_to_none=True)
        (loss + aux).backward()
        nn.utils.clip_grad_norm_(self.model.parameters(), 0.3, foreach=True)
        self.optimizer.step()
        # All the work of forgetting; then the ages above are restored, so that every step is the same.
        kept = [forget(*layer, self.z)[0] for layer in seen]
        self.memory = [(rows[:, rows.shape[1] - self.age.shape[1] :], self.age) for rows in kept]


def resident(field):
    """VmRSS (current) or VmHWM (peak) of this process, in bytes."""
    return next(int(line.split()[1]) * 1024 for line in open("/proc/self/status") if line.startswith(field))


def tensor_peak(build):
    """Peak of the bytes allocated by PyTorch while building the model and running two steps."""
    from torch.profiler import ProfilerActivity, profile

    with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as trace:
        bench = build()
        bench.step()
        bench.step()
    events = [e for e in trace.profiler.kineto_results.events() if e.name() == "[memory]"]
    sizes = [e.nbytes() for e in sorted(events, key=lambda e: e.start_ns())]  # a release is negative
    return max(itertools.accumulate(sizes))


def measure_on_gpu(z: Sizes, live: int, args) -> dict:
    torch.manual_seed(1)
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = args.precision == "tf32"
    torch.cuda.empty_cache()
    torch.cuda.reset_peak_memory_stats()
    bench = Bench(z, live, args.live_fraction, args.compile, "cuda", args.precision == "bf16", args.flex)
    times = []
    for _ in range(args.warmup + args.steps):
        torch.cuda.synchronize()
        start = time.perf_counter()
        bench.step()
        torch.cuda.synchronize()
        times.append(1e3 * (time.perf_counter() - start))
    ms = statistics.median(times[args.warmup :])
    result = {"ms": ms, "tokens_per_s": 1e3 * z.batch * z.block / ms, "live": live, "live_fraction": args.live_fraction}
    return result | {"peak_bytes": torch.cuda.max_memory_allocated(), "resident_peak_bytes": torch.cuda.max_memory_reserved()}


def measure(z: Sizes, live: int, args) -> dict:
    torch.manual_seed(1)
    build = lambda: Bench(z, live, args.live_fraction, args.compile)
    Bench(replace(z, batch=2, layers=1), live, 1.0).step()  # so that code, threads and library buffers are in the baseline
    Path("/proc/self/clear_refs").write_text("5")  # resets VmHWM to the current VmRSS
    baseline = resident("VmRSS")
    bench = build()
    times = []
    for _ in range(args.warmup + args.steps):
        start = time.perf_counter()
        bench.step()
        times.append(1e3 * (time.perf_counter() - start))
    ms = statistics.median(times[args.warmup :])
    result = {"ms": ms, "tokens_per_s": 1e3 * z.batch * z.block / ms, "live": live, "live_fraction": args.live_fraction}
    result["resident_peak_bytes"] = resident("VmHWM") - baseline
    return result | {"peak_bytes": tensor_peak(build)}


# Runs its arguments and prints [their output, peak resident KiB]. A small process in between is needed: Linux counts the pages that
# the parent had resident at the fork as the child's, and this parent has loaded PyTorch.
WATCH = """
import json, resource, subprocess, sys
done = subprocess.run(sys.argv[1:], stdout=subprocess.PIPE, text=True)
print(json.dumps([done.stdout, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss]))
sys.exit(done.returncode)
"""


def run_process(command, threads):
    """Runs one measuring process; returns its JSON with its peak resident memory added."""
    env = os.environ | {"OMP_NUM_THREADS": str(threads)}
    done = subprocess.run([sys.executable, "-c", WATCH, *command], env=env, stdout=subprocess.PIPE, text=True)
    if done.returncode != 0:
        raise SystemExit(f"failed: {shlex.join(command)}")
    text, kib = json.loads(done.stdout)
    return json.loads(text) | {"process_peak_bytes": kib * 1024}


def run_pytorch(z: Sizes, live: int, args):
    if args.device == "cuda":
        return measure_on_gpu(z, live, args)
    command = [sys.executable, __file__, "--child", json.dumps(vars(z)), "--live", str(live)]
    for name in ("live_fraction", "threads", "steps", "warmup", "compile"):
        if (value := getattr(args, name)) is not None:
            command += ["--" + name.replace("_", "-"), str(value)]
    return run_process(command, args.threads)


def run_fade(live: int, args):
    """fade has no padding: it gets only the live rows."""
    rows = str(round(args.live_fraction * live))
    return run_process([*shlex.split(args.against), "--live", rows, "--steps", str(args.steps), "--json"], args.threads)


def compare(z: Sizes, live: int, args) -> dict:
    """Alternates the processes, so that a slow period of the machine affects both; ratios are taken pair by pair."""
    pairs = [(run_pytorch(z, live, args), run_fade(live, args)) for _ in range(args.pairs)]
    ratios = [peer["ms"] / fade["ms"] for peer, fade in pairs]
    middle = lambda side, key: statistics.median(pair[side][key] for pair in pairs)
    return {
        "live": live,
        "live_fraction": args.live_fraction,
        "ms": [middle(0, "ms"), middle(1, "ms")],
        "ratio": [statistics.median(ratios), min(ratios), max(ratios)],
        "tensor_peak_bytes": [middle(0, "peak_bytes"), middle(1, "peak_bytes")],
        "resident_peak_bytes": [middle(0, "resident_peak_bytes"), middle(1, "process_peak_bytes")],
        "pairs": pairs,
    }


def print_comparison(results):
    print("| L (live) | ms: PyTorch, fade | speed-up [min, max] | tensors, MiB | resident, MiB |\n|---|---|---|---|---|")
    for r in results:
        memory = []
        for peer, fade in (r["tensor_peak_bytes"], r["resident_peak_bytes"]):
            memory.append(f"{peer / 2**20:.0f}, {fade / 2**20:.0f} ({fade / peer:.0%})")
        speed = "{:.1f}, {:.1f} | {:.2f} [{:.2f}, {:.2f}]".format(*r["ms"], *r["ratio"])
        print(f"| {r['live']} ({r['live_fraction']:.0%}) | {speed} | {memory[0]} | {memory[1]} |")
    print("tensors: peak of the bytes allocated. resident: for PyTorch, growth over a process that has imported torch and run a small")
    print("step (compiled: including the compiler's own memory); for fade, the whole process.")


def print_alone(result):
    mib = [f"{result[key] / 2**20:.0f} MiB" for key in ("peak_bytes", "resident_peak_bytes")]
    print("L {live} ({live_fraction:.0%} live): {ms:.1f} ms, {tokens_per_s:.0f} tokens/s".format(**result), end="")
    print(f", tensors at most {mib[0]}, resident +{mib[1]}")


def machine() -> dict:
    cpu = [line.split(":")[1].strip() for line in open("/proc/cpuinfo") if line.startswith("model name")]
    simd = torch.backends.cpu.get_cpu_capability()
    return {"cpu": cpu[0] if cpu else platform.machine(), "cores": os.cpu_count(), "simd": simd, "torch": torch.__version__}


def describe(args) -> dict:
    setting = machine()
    setting["mode"] = ("compiled" if args.compile else "eager") + " layers" * (args.compile == "layers") + ", FlexAttention" * args.flex
    if args.device == "cuda":
        setting |= {"gpu": torch.cuda.get_device_name(), "cuda": torch.version.cuda, "precision": args.precision}
    return setting | {"threads": args.threads, "steps": args.steps, "pairs": args.pairs}


def keep_freed_memory():
    """Stops glibc from returning every large tensor to the system, which costs PyTorch thousands of page faults per step."""
    M_MMAP_MAX, M_TRIM_THRESHOLD = -4, -1
    libc = ctypes.CDLL(None)
    libc.mallopt(M_MMAP_MAX, 0)
    libc.mallopt(M_TRIM_THRESHOLD, 2**31 - 1)


def timed_sizes():
    """The fields of Sizes that the timed model uses."""
    return [f for f in fields(Sizes) if f.name not in ("dropout", "noisy", "compress", "rate", "slots", "dtype")]


def parse_arguments():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    goldens = "tests/data/golden"
    p.add_argument("--golden", nargs="?", const=goldens, metavar="DIR", help=f"check the cases in DIR ({goldens})")
    p.add_argument("--live", type=int, nargs="+", default=[], metavar="L", help="context rows to time, memory and block together")
    p.add_argument("--live-fraction", type=float, default=1.0, metavar="F", help="fraction of the rows that are live (1.0)")
    p.add_argument("--against", metavar="COMMAND", help='"build/fade bench CONFIG.yaml": time this as well, with the sizes of its config')
    p.add_argument("--compile", nargs="?", const="model", choices=("model", "layers"),
                   help="torch.compile instead of eager: of the whole model, or of one layer, whose code runs for each")
    p.add_argument("--flex", action="store_true", help="FlexAttention; needs --compile layers and --device cuda")
    p.add_argument("--config", help="a config of fade: its sizes")
    p.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    p.add_argument("--precision", choices=("f32", "tf32", "bf16"), default="f32", help="tf32, bf16 (autocast): only on a GPU")
    p.add_argument("--threads", type=int, default=2)
    p.add_argument("--steps", type=int, default=20, help="timed steps per process (20)")
    p.add_argument("--warmup", type=int, default=5, help="untimed steps before those (5)")
    p.add_argument("--pairs", type=int, default=5, help="pairs of processes with --against (5)")
    p.add_argument("--json", action="store_true", help="print JSON: setting, medians, and every process")
    p.add_argument("--child", type=json.loads, help=argparse.SUPPRESS)  # measure here: sizes as JSON
    sizes = p.add_argument_group("sizes (default: those of the config, or as given here)")
    for f in timed_sizes():
        kind = {"action": "store_const", "const": True} if isinstance(f.default, bool) else {"type": type(f.default)}
        sizes.add_argument("--" + f.name.replace("_", "-"), help=f"{f.default}", **kind)
    return p.parse_args()


def chosen_sizes(args) -> Sizes:
    config = args.config or next((word for word in shlex.split(args.against or "") if word.endswith((".yaml", ".yml"))), None)
    given = {f.name: getattr(args, f.name) for f in timed_sizes() if getattr(args, f.name) is not None}
    return replace(read_sizes(config) if config else Sizes(), **given)


def main():
    args = parse_arguments()
    torch.set_num_threads(args.threads)
    keep_freed_memory()
    if args.child:
        print(json.dumps(measure(Sizes(**args.child), args.live[0], args)))
        return
    if not args.golden and not args.live:
        raise SystemExit("nothing to do: give --golden, --live L or both (--help explains)")
    if args.golden and not check_goldens(args.golden):
        raise SystemExit(f"{args.golden}: no golden cases, or they differ")
    results, z = [], chosen_sizes(args)
    if args.precision != "f32" and args.device != "cuda":
        raise SystemExit(f"--precision {args.precision}: needs --device cuda")
    if args.flex and (args.compile != "layers" or args.device != "cuda"):
        raise SystemExit("--flex: needs --compile layers and --device cuda: elsewhere PyTorch computes it in full, or not at all")
    if args.live and z.kind != "expire_span":
        raise SystemExit(f"kind {z.kind}: only expire_span can be timed")
    for live in args.live:
        if live < z.block or live % z.block:
            raise SystemExit(f"--live {live}: give a multiple of the block, {z.block}; the PyTorch model pads memory to whole blocks")
        sized = replace(z, max_span=max(z.max_span, 2 * live))
        results.append(compare(sized, live, args) if args.against else run_pytorch(sized, live, args))
        if not args.json and not args.against:
            print_alone(results[-1])
        if args.json and args.device == "cuda":  # line by line, so that a time limit leaves those that were measured
            print(json.dumps(describe(args) | {"results": results}), flush=True)
    if args.against and not args.json:
        print("{mode} PyTorch {torch} against fade; {cpu}, {simd}, {threads} threads, {pairs} pairs".format(**describe(args)))
        print_comparison(results)
    if args.json and args.device != "cuda":
        print(json.dumps(describe(args) | {"results": results}, indent=1))


if __name__ == "__main__":
    main()
