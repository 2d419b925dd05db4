#!/usr/bin/env python3
"""What a change of a configuration gains in bits per byte, and what it costs in time.

Trains the configuration, and each variant of it, for the same number of steps with each of the seeds, on one
thread, several runs at a time; writes a JSON file and prints a table: validation bits per byte at the end
(mean over the seeds, and the largest distance from it), CPU milliseconds per step, and their ratio to the
configuration's. The time is the process's CPU time, validations included: other programs on the machine change
it little, and the bits not at all.

  bench/recipe.py --data enwik6 --steps 1200 --seeds 1 2 3 --out recipe.json 'no dropout: model.dropout=0' ..

A variant is "NAME: key=value key=value ..". A variant's own train.steps wins over --steps. The standard library
of Python is enough.
"""
import argparse
import hashlib
import json
import os
import platform
import subprocess
import sys
import tempfile
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("variants", nargs="*", metavar="VARIANT", help='"NAME: key=value key=value .."')
    parser.add_argument("--fade", default="build/fade", help="the program (default: %(default)s)")
    parser.add_argument("--config", default="configs/enwik8_cpu.yaml", help="(default: %(default)s)")
    parser.add_argument("--data", required=True, help="the text")
    parser.add_argument("--steps", type=int, required=True, help="updates of each run")
    parser.add_argument("--seeds", type=int, nargs="+", default=[1], help="(default: 1)")
    parser.add_argument("--jobs", type=int, default=len(os.sched_getaffinity(0)), help="runs at a time (default: a run per core)")
    parser.add_argument("--out", required=True, help="JSON file of the results; runs that it holds are not repeated")
    return parser.parse_args()


def settings_of(variant):
    name, _, settings = variant.partition(":")
    if not all("=" in s for s in settings.split()):
        sys.exit(f'{variant}: not "NAME: key=value .."')
    return name.strip(), settings.split()


def train(args, settings, seed):
    """One run: its bits per byte, CPU seconds, and steps."""
    own = dict(s.split("=", 1) for s in settings)
    steps = int(own.get("train.steps", args.steps))
    sets = {"data.path": args.data, "train.steps": steps, "seed": seed, "threads": 1, "device": "cpu",
            "train.eval_every": 0, "train.eval_bytes": 0, "train.checkpoint_every": 0, **own}
    with tempfile.TemporaryDirectory() as folder:
        call = [args.fade, "train", args.config, "--out", f"{folder}/run"]
        for key, value in sets.items():
            call += ["--set", f"{key}={value}"]
        process = subprocess.Popen(call, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        errors = process.stderr.read()
        _, status, usage = os.wait4(process.pid, 0)
        if status:
            return {"error": errors.strip().splitlines()[-1] if errors.strip() else f"status {status}"}
        lines = [json.loads(line) for line in Path(f"{folder}/run/metrics.jsonl").read_text().splitlines()]
        bits = [line["valid_bpb"] for line in lines if "valid_bpb" in line][-1]
        return {"bits": bits, "cpu_s": round(usage.ru_utime + usage.ru_stime, 1), "steps": steps}


class Results:
    """A JSON file: a header that describes all runs, and rows below `section` with their runs, which several threads add."""

    def __init__(self, path, header, section):
        self.path, self.lock = Path(path), threading.Lock()
        self.all = json.loads(self.path.read_text()) if self.path.exists() else {**header, section: {}}
        other = [key for key, value in header.items() if self.all.get(key) != value]
        if other:
            sys.exit(f"{path}: holds runs with another {', '.join(other)} (give another --out)")
        self.rows = self.all[section]

    def add(self, runs, name, found):
        with self.lock:
            runs[name] = found
            self.path.write_text(json.dumps(self.all, indent=1) + "\n")


def fade_version(fade):
    return subprocess.run([fade, "--version"], capture_output=True, text=True, check=True).stdout.split("\n")[0]


def sha256(path):
    return hashlib.sha256(Path(path).read_bytes()).hexdigest()


def cpu_model():
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.split(":", 1)[1].strip()
    return platform.machine()


def table(variants):
    def mean(runs, of):
        return sum(of(r) for r in runs) / len(runs)

    base = None
    print(f"{'variant':<28} {'bits/byte':>18} {'change':>8} {'ms/step':>8} {'cost':>6}")
    for name, row in variants.items():
        runs = [r for r in row["runs"].values() if "bits" in r]
        if not runs:
            print(f"{name:<28} {next(iter(row['runs'].values()), {}).get('error', '')}")
            continue
        bits = mean(runs, lambda r: r["bits"])
        ms = mean(runs, lambda r: 1000 * r["cpu_s"] / r["steps"])
        base = base or (bits, ms)
        spread = max(abs(r["bits"] - bits) for r in runs)
        print(f"{name:<28} {bits:>9.4f} ± {spread:.4f} {bits - base[0]:>+8.4f} {ms:>8.1f} {ms / base[1]:>6.2f}")


def main():
    args = arguments()
    header = {"fade": fade_version(args.fade), "cpu": cpu_model(), "config": args.config, "config_sha256": sha256(args.config),
              "data_bytes": os.path.getsize(args.data), "data_sha256": sha256(args.data), "steps": args.steps}
    results = Results(args.out, header, "variants")
    jobs = []
    for name, settings in [("the configuration", []), *map(settings_of, args.variants)]:
        row = results.rows.setdefault(name, {"settings": settings, "runs": {}})
        if row["settings"] != settings:
            sys.exit(f"{name}: is also the name of {' '.join(row['settings'])} (give another one)")
        jobs += [(row, settings, seed) for seed in args.seeds if "bits" not in row["runs"].get(str(seed), {})]

    def run(job):
        row, settings, seed = job
        results.add(row["runs"], str(seed), train(args, settings, seed))

    with ThreadPoolExecutor(args.jobs) as pool:
        list(pool.map(run, jobs))
    table(results.rows)


if __name__ == "__main__":
    main()
