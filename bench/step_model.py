#!/usr/bin/env python3
"""A training step on paper: flops, bytes, and the least and the expected time of each kernel on an H100.

    bench/step_model.py                        the parts of a step at 1024, 2048 and 4096 rows
    bench/step_model.py --rows 2048            each kernel

Expire-Span in bf16 with the sizes of configs/enwik8_12l.yaml and 64 streams; --layers, --hidden, .. give others.
Formulas: every matrix product m x k by k x n has 2mkn flops and reads and writes each operand once. Attention
counts the pairs of query and row that the causal mask leaves. The least time is the largest of flops, bytes and
exponentials over the ceilings below; the expected time takes the part of each ceiling that such a kernel reaches.
Nothing here is measured except the ceilings of products and copies (docs/performance_gpu.md).
"""
import argparse
from dataclasses import dataclass

FLOPS = 781e12  # per second, products in bf16 (measured with PyTorch)
BYTES = 3003e9  # per second, copies, read and written (measured with PyTorch)
CLOCK, SMS = 1.755e9, 132  # of an H100 SXM (data sheet)
EXPS = SMS * 16 * CLOCK  # per second: 16 of the special function units per SM and cycle
ISSUES = SMS * 4 * CLOCK  # instructions of a warp per second

# Parts of the ceilings that are expected. mma.sync reaches some 60 % of what Hopper's own wgmma does.
PRODUCT, ATTENTION, MEMORY, ISSUE = 0.75, 0.40, 0.85, 0.60
PHILOX = 88  # instructions for 8 decisions of dropout as nvcc compiles them, with packing and indices
PER_PAIR = 14  # other instructions of attention per pair of query and row: scale, mask, maximum, exponent, sums


@dataclass
class Kernel:
    part: str
    name: str
    flops: float = 0
    bytes: float = 0  # read or written in the GPU's memory
    exps: float = 0
    issues: float = 0  # instructions of a warp
    reach: float = PRODUCT
    per_step: bool = False  # once per step, not once per layer

    def least(self):
        return max(self.flops / FLOPS, self.bytes / BYTES, self.exps / EXPS)

    def expected(self):
        compute = self.flops / (self.reach * FLOPS) + self.issues / (ISSUE * ISSUES)
        return max(compute, self.bytes / (MEMORY * BYTES), self.exps / EXPS)


def kernels(a, rows):
    e = 2  # bytes of an activation
    H, F, K, M, B, V = a.hidden, a.ff, a.heads, a.block, a.streams, a.vocab
    D, T, N = H // K, a.streams * a.block, a.streams * rows
    memory = N - T
    pairs = B * K * (M * (rows - M) + M * (M - 1) / 2)
    near = B * K * M * (M + 64)  # pairs of the query tiles and their bands of position rows
    bits = N * K * M / 8 if a.dropout else 0
    drawn = bits - T * K * (M - 32) / 16 if a.dropout else 0  # words of 32 queries before a row of the block are 0

    def product(part, name, m, k, n, extra=0, **more):
        return Kernel(part, name, flops=2 * m * k * n, bytes=e * (m * k + k * n + m * n) + extra, **more)

    def attention(name, products, near_products, arrays):
        flops = 2 * D * (products * pairs + near_products * near)
        return Kernel("attention", name, flops, e * arrays + bits, exps=pairs, issues=PER_PAIR * pairs / 32, reach=ATTENTION)

    weights = V * H * 2 + V + a.layers * (4 * H * H + 2 * H * F + F + 5 * H + H + 1)
    return [
        product("products", "query, forward", T, H, H),
        product("products", "keys and values, forward", N, H, 2 * H),
        product("products", "out, forward", T, H, H),
        product("products", "fc1 + bias + relu, forward", T, H, F),
        product("products", "fc2 + bias, forward", T, F, H),
        product("products", "query, backward", T, H, 2 * H, extra=e * T * H),
        product("products", "keys and values, dx of the block", T, 2 * H, H),
        product("products", "keys and values, dW", H, N, 2 * H),
        product("products", "out, backward", T, H, 2 * H, extra=e * T * H),
        product("products", "fc2, backward", T, F, 2 * H, extra=e * T * H),
        product("products", "fc1, backward", T, H, 2 * F, extra=e * T * H),
        attention("forward", 2, 1, 2 * T * H + 2 * N * H),
        attention("backward to keys, values, spans", 4, 1, 2 * T * H + 4 * N * H),
        attention("backward to queries, positions", 3, 3, 3 * T * H + 2 * N * H),
        Kernel("attention", "delta", bytes=e * 2 * T * H),
        Kernel("dropout", "bits of attention", bytes=bits, issues=PHILOX * drawn / 32),
        Kernel("dropout", "of ff, forward and backward", bytes=e * 5 * T * F if a.dropout else 0),
        Kernel("norms", "residual + layer norm, forward, twice", bytes=2 * e * 4 * T * H),
        Kernel("norms", "layer norm, backward, twice", bytes=2 * e * 3 * T * H),
        Kernel("memory", "spans, forward and backward", bytes=e * (2 * N * H + 2 * T * H) + 24 * N),
        Kernel("memory", "survivors gathered", bytes=e * 2 * memory * H),
        Kernel("rest", "weights to bf16", bytes=6 * weights, per_step=True),
        Kernel("rest", "embedding, logits, loss", flops=6 * T * H * V, bytes=12 * T * V + 20 * T * H, per_step=True),
        Kernel("rest", "norm of the gradient, Adam", bytes=32 * weights, per_step=True),
    ]


def table(a):
    of_rows = [kernels(a, rows) for rows in a.rows]
    width = 4 * len(a.rows)

    def line(name, select):
        figures = []
        for all_kernels in of_rows:
            chosen = [(1 if k.per_step else a.layers, k) for k in all_kernels if select(k)]
            sums = [sum(times * f(k) for times, k in chosen) for f in
                    (lambda k: k.flops * 1e-12, lambda k: k.bytes * 1e-9, lambda k: k.least() * 1e3, lambda k: k.expected() * 1e3)]
            figures += [f"{sums[0]:.2f}", *(f"{x:.1f}" for x in sums[1:])]
        print(f"| {name} | " + " | ".join(figures) + " |")

    print("| | " + " | ".join(f"{rows} rows: TFLOP | GB | least, ms | expected, ms" for rows in a.rows) + " |")
    print("|---|" + "---|" * width)
    if len(a.rows) == 1:
        for k in of_rows[0]:
            line(f"{k.part}: {k.name}", lambda other, name=k.name: other.name == name)
    for part in dict.fromkeys(k.part for k in of_rows[0]):
        line(f"**{part}**", lambda k, part=part: k.part == part)
    line("**step**", lambda _: True)


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--rows", type=int, nargs="+", default=[1024, 2048, 4096], help="of a layer's context, all live")
    sizes = {"layers": 12, "hidden": 512, "ff": 2048, "heads": 8, "block": 512, "streams": 64, "vocab": 256}
    for name, value in sizes.items():
        p.add_argument(f"--{name}", type=int, default=value)
    p.add_argument("--dropout", type=float, default=0.3)
    table(p.parse_args())


if __name__ == "__main__":
    main()
