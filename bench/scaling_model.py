#!/usr/bin/env python3
"""Data parallelism over N ranks on paper: what a step sends, what backward hides of it, and what N ranks gain.

    bench/scaling_model.py                          the tables of docs/scaling.md
    bench/scaling_model.py --write docs/scaling.md  puts them into the page, after its lines <!-- table: NAME -->
    bench/scaling_model.py --check docs/scaling.md  exit status 1 if the page has other tables

Every time is expected, none measured: the inputs are. docs/scaling.md names their sources and what is left out.
"""
import argparse
import difflib
import json
import math
import re
import statistics
import sys
from dataclasses import dataclass, replace
from pathlib import Path

import stragglers

ROOT = Path(__file__).resolve().parent.parent
US, MS, MB, GB, MIB = 1e-6, 1e-3, 1e6, 1e9, 2**20


def tensors(config):
    """Numbers of elements of the parameters of a configuration in configs/ (spec section 5), the last one first."""
    text = (ROOT / "configs" / config).read_text()
    layers, H, F, K, M, S = (int(re.search(rf"\n  {key}: (\d+)", text)[1])
                             for key in ("layers", "hidden", "ff", "heads", "block", "max_span"))
    norm, V = [H, H], 256
    layer = [*norm, *norm, H, F * H, F, H * F, 1, H, *[H * H] * 4]  # norms, fc2, fc1, span, out, value, key, query
    return [V, V * H, *layer * layers, min(M, S) * H // K, V * H]


@dataclass
class Model:
    """A model, and the time of its step on one rank: fixed + streams * (per_stream + per_row * rows)."""

    config: str
    fixed: float  # seconds
    per_stream: float
    per_row: float  # of one stream, all layers together
    backward: float = 5 / 8  # part of the step, as step_model.py expects it at 1024, 2048 and 4096 rows

    def seconds(self, streams, rows):
        return self.fixed + streams * (self.per_stream + self.per_row * rows)

    def buckets(self, limit):
        """Bytes of the buckets that GradientSum makes of the gradients, in f32: of at most `limit`, or of one tensor."""
        found = [0]
        for elements in tensors(self.config):
            if found[-1] and found[-1] + 4 * elements > limit:
                found.append(0)
            found[-1] += 4 * elements
        return found


def measured(bench):
    """Seconds of a step in bf16 with rows {1024: .., 2048: ..}, from the results of scripts/gpu_check.sh on an H200."""
    stages = json.loads((ROOT / "bench/results/h200-c50deca-2026-11-27.json").read_text())["stages"]
    found = [s["found"] for s in stages if s["stage"].startswith(f"bench-{bench}-bf16-")]
    return {f["live"]: f["ms"] * MS for f in found}


def intercept(streams, seconds, per_row):
    """Seconds of a step with no rows: the mean over those measured."""
    return statistics.mean(time - streams * rows * per_row for rows, time in seconds.items())


def slope(streams, seconds):
    """Seconds per row of a stream, from the fewest and the most rows."""
    fewest, most = min(seconds), max(seconds)
    return (seconds[most] - seconds[fewest]) / (streams * (most - fewest))


def large():
    """enwik8_12l.yaml. 16 streams were measured without dropout, and get a quarter of what step_model.py expects of it with 64."""
    of_64, of_16 = measured("12l"), measured("b16")
    dropout = {1024: 4.7 * MS, 2048: 6.7 * MS}
    per_row = slope(64, of_64)
    base_64 = intercept(64, of_64, per_row)
    base_16 = intercept(16, {rows: time + dropout[rows] / 4 for rows, time in of_16.items()}, per_row)
    per_stream = (base_64 - base_16) / 48
    return Model("enwik8_12l.yaml", base_64 - 64 * per_stream, per_stream, per_row)


def small(fixed):
    """enwik8_small.yaml, measured with 64 streams only."""
    of_64 = measured("small")
    per_row = slope(64, of_64)
    return Model("enwik8_small.yaml", fixed, (intercept(64, of_64, per_row) - fixed) / 64, per_row)


LARGE = large()
SMALL = small(LARGE.fixed * 8 / 12)  # the fixed part of 8 layers of the 12


@dataclass
class Network:
    """Hosts with ranks and network cards. Bandwidths are bytes per second and direction, times are seconds."""

    name: str
    per_host: int  # ranks
    cards: int  # per host
    card: float
    message: float  # to send one to another host
    latency: float  # of a message, beyond what NCCL assumes of InfiniBand
    link: float = 370 * GB  # between ranks of a host
    base: float = 1.0  # of NCCL's fixed times: 0 where MPI moves the bytes
    memory: float = 0.85 * 3003 * GB  # of a rank's memory, as step_model.py expects it


def ethernet(gbit, per_host=8, **more):
    """94 % of the bit rate is left for data: 1448 bytes of a frame that takes 1538."""
    return Network(f"{gbit} GbE", per_host, 1, 0.94 * gbit / 8 * GB, message=10 * US, latency=10 * US, **more)


NDR = Network("InfiniBand NDR", 8, 8, 46 * GB, message=1 * US, latency=0)
NETWORKS = [NDR, ethernet(100), ethernet(25), ethernet(10)]


# fade bench, 2 cores, 16 streams, 192 rows (docs/performance.md); ranks of one host each, MPI, 10 GB/s of memory assumed.
CPU = Model("bench_cpu.yaml", 0, 69.3 * MS / 16, 0)
CPU_NETWORKS = [ethernet(gbit, per_host=1, base=0, memory=10 * GB) for gbit in (25, 10, 1)]


def all_to_all(size, ranks, net, per_host):
    """Every rank sends a slice of `size` bytes / ranks to every other: time of NCCL's grouped sends and receives."""
    local = min(ranks, per_host)
    remote = ranks - local
    of_links = (local - 1) / ranks * size / net.link + (local - 1) * 0.6 * US
    of_cards = local * remote / ranks * size / (net.cards * net.card) + remote * net.message
    return net.base * 8.4 * US + max(of_links, of_cards + (net.latency + net.base * 14.0 * US if remote else 0))


def all_gather(size, ranks, net):
    """NCCL's own estimate for its rings (src/graph/tuning.cc): the better of its protocols LL and Simple."""
    hosts = max(1, ranks // net.per_host)
    bandwidth = net.link if hosts == 1 else min(net.link, net.cards * net.card)
    bytes_received = (ranks - 1) / ranks * size

    def of(base, inside, between, posts, speed):
        inside = max(inside, posts * net.message) if hosts > 1 else inside
        steps = (ranks - hosts) * inside * net.base + (hosts - 1) * (between * net.base + net.latency)
        return base * net.base + steps + bytes_received / speed

    return min(of(6.6 * US, 0.6 * US, 2.7 * US, 1, min(bandwidth / 2, 141 * GB if hosts == 1 else 20.4 * GB)),
               of(8.4 * US, 3.4 * US, 14.0 * US, 3, bandwidth))


def reduction(size, ranks, net, two_levels=False):
    """Sum of `size` bytes over the ranks, in their order: all-to-all of slices, the additions, all-gather."""

    def add(parts, read):
        return net.base * 3 * US + read * (parts + 1) / parts / net.memory

    gather = all_gather(size, ranks, net)
    if not two_levels or ranks <= net.per_host:
        return all_to_all(size, ranks, net, net.per_host) + add(ranks, size) + gather
    inside = all_to_all(size, net.per_host, net, net.per_host) + add(net.per_host, size)
    hosts, part = ranks // net.per_host, size / net.per_host
    between = replace(net, per_host=1, cards=1, card=net.cards * net.card / net.per_host)
    return inside + all_to_all(part, hosts, between, 1) + add(hosts, part) + gather


@dataclass
class Step:
    seconds: float
    exposed: float  # seconds of communication that backward does not hide
    communication: float  # seconds of all of it


def step(model, streams, rows, ranks, net, bucket, two_levels=False):
    """A step of one rank with so many streams. Backward goes through the parameters at a constant speed. Buckets leave one after
    the other, each when backward has completed it, the last when backward has ended."""
    compute = model.seconds(streams, rows)
    if ranks == 1:
        return Step(compute, 0, 0)
    backward, buckets = model.backward * compute, model.buckets(bucket)
    communication = now = done = 0
    for size in buckets:
        done += size
        time = reduction(size, ranks, net, two_levels)
        now = max(now, done / sum(buckets) * backward) + time
        communication += time
    orders = 2 * math.ceil(math.log2(ranks)) * (2.7 * US + net.latency)  # rank 0's order, and the sums of losses
    exposed = now - backward + orders
    return Step(compute + exposed, exposed, communication + orders)


BUCKETS = [4 * MIB, 16 * MIB, 64 * MIB, 256 * MIB]  # the last holds all gradients of these models


def best(*args, **kwargs):
    """The step with the bucket size that suits it best."""
    return min((step(*args, bucket=bucket, **kwargs) for bucket in BUCKETS), key=lambda s: s.seconds)


def table(head, rows):
    lines = ["| " + " | ".join(line) + " |" for line in [head, *rows]]
    return [lines[0], "|" + "---|" * len(head), *lines[1:]]


def percent(x):
    return f"{100 * x:.0f} %"


def ms(x):
    return f"{1e3 * x:.1f}" if x < 0.1 else f"{1e3 * x:.0f}"


def counts():
    rows = []
    for config in ("enwik8_12l.yaml", "enwik8_small.yaml", "enwik8_cpu.yaml", "recall.yaml"):
        n = sum(tensors(config))
        sent = [f"{2 * (r - 1) / r * 4 * n / MB:.1f}" for r in (2, 4, 8, 64, 1024)]
        rows.append([f"`{config}`", f"{n:,}", f"{4 * n / MB:.1f}", *sent])
    return table(["configuration", "parameters", "gradients, MB", *(f"sent, N = {r}" for r in (2, 4, 8, 64, 1024))], rows)


def inputs():
    rows = []
    for m in (LARGE, SMALL):
        rows.append([f"`{m.config}`", f"{m.fixed / MS:.1f} ms", f"{m.per_stream / MS:.2f} ms", f"{1000 * m.per_row / MS:.2f} ms",
                     *(f"{m.seconds(b, 1024) / MS:.1f}" for b in (64, 16, 4, 1))])
    head = ["configuration", "fixed", "per stream", "per stream and 1000 rows", "64 streams, ms", "16", "4", "1"]
    return table(head, rows)


def hidden():
    """The large model, 64 streams of 1024 rows per rank."""
    rows = []
    for net in NETWORKS:
        for bucket in BUCKETS:
            cells = []
            for ranks in (8, 16, 64, 256, 1024):
                s = step(LARGE, 64, 1024, ranks, net, bucket)
                cells.append(f"{ms(s.communication)} / {ms(s.exposed)}" if ranks > 8 or net is NDR else "")
            name = f"{bucket // MIB} MiB" if bucket < BUCKETS[-1] else "one"
            rows.append([net.name if bucket == BUCKETS[0] else "", name, *cells])
    return table(["network", "bucket", *(f"N = {r}" for r in (8, 16, 64, 256, 1024))], rows)


def weak():
    """64 streams of 1024 rows per rank; on the CPU, 16 of 192."""
    rows = []
    cases = ((LARGE, 64, 1024, NETWORKS), (SMALL, 64, 1024, NETWORKS), (CPU, 16, 192, CPU_NETWORKS))
    for model, streams, context, networks in cases:
        for net in networks:
            alone = model.seconds(streams, context)
            cells = [percent(alone / best(model, streams, context, ranks, net).seconds) for ranks in (2, 8, 16, 64, 256, 1024)]
            rows.append([f"`{model.config}`" if net is networks[0] else "", net.name, *cells])
    return table(["configuration", "between hosts", *(f"N = {r}" for r in (2, 8, 16, 64, 256, 1024))], rows)


def strong():
    rows = []
    for model, batch in ((LARGE, 512), (LARGE, 64), (SMALL, 64)):
        alone = model.seconds(batch, 1024)
        for ranks in (1, 2, 4, 8, 16, 32, 64, 128, 512) if batch == 512 else (1, 2, 4, 8, 16, 64):
            steps = [best(model, batch // ranks, 1024, ranks, net) for net in (NDR, *NETWORKS[1:3])]
            gains = [f"{alone / s.seconds:.1f}" for s in steps]
            rows.append([f"`{model.config}`, {batch}" if ranks == 1 else "", str(ranks), str(batch // ranks),
                         ms(model.seconds(batch // ranks, 1024)), ms(steps[0].seconds), gains[0],
                         percent(alone / ranks / steps[0].seconds), *(gains[1:] if ranks > 8 else ["", ""])])
    return table(["configuration, batch", "N", "streams per rank", "computing, ms", "step, ms", "times as fast", "efficiency",
                  "over 100 GbE", "over 25 GbE"], rows)


def two_levels():
    rows = []
    for net in NETWORKS:
        cells = []
        for ranks in (16, 64, 256, 1024):
            one, two = (best(LARGE, 64, 1024, ranks, net, two_levels=levels).exposed for levels in (False, True))
            cells.append(f"{ms(one)} / {ms(two)}")
        rows.append([net.name, *cells])
    return table(["between hosts", *(f"N = {r}" for r in (16, 64, 256, 1024))], rows)


TABLES = {"counts": counts, "inputs": inputs, "hidden": hidden, "weak": weak, "strong": strong, "two_levels": two_levels,
          "measured_rows": lambda: table(*stragglers.measured()),
          "stragglers": lambda: table(*stragglers.slowest(LARGE)),
          "dealing": lambda: table(*stragglers.dealing(LARGE)),
          "moving": lambda: table(*stragglers.moving(LARGE, NETWORKS[:2]))}


def filled(page):
    """The lines of a page with every table in its place: after a line <!-- table: NAME -->, up to the next line without |."""
    lines, old = [], False
    for line in page:
        old = old and line.startswith("|")
        if old:
            continue
        lines.append(line)
        if mark := re.fullmatch(r"<!-- table: (\w+) -->", line):
            lines += TABLES[mark[1]]()
            old = True
    return lines


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--write", type=Path, metavar="PAGE")
    p.add_argument("--check", type=Path, metavar="PAGE")
    a = p.parse_args()
    if page := a.write or a.check:
        before = page.read_text().splitlines()
        after = filled(before)
        if a.write:
            page.write_text("\n".join(after) + "\n")
        elif before != after:
            print("\n".join(difflib.unified_diff(before, after, str(page), "bench/scaling_model.py", lineterm="")))
            sys.exit(1)
        return
    for name, make in TABLES.items():
        print(f"{name}:\n" + "\n".join(make()) + "\n")


if __name__ == "__main__":
    main()
