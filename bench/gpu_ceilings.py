#!/usr/bin/env python3
"""Prints as JSON what the GPU of this machine can do at best, as PyTorch reaches it: copied bytes per second (read and written)
and operations per second of a product of two 8192 x 8192 matrices. Medians of ten."""

import json
import statistics

import torch


def seconds(f):
    times = []
    for _ in range(13):
        begin, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
        begin.record()
        f()
        end.record()
        end.synchronize()
        times.append(1e-3 * begin.elapsed_time(end))
    return statistics.median(times[3:])


def main():
    source = torch.randn(2**30, device="cuda")
    target = torch.empty_like(source)
    result = {"torch": torch.__version__, "copy_GB_per_s": 8e-9 * source.numel() / seconds(lambda: target.copy_(source))}
    del source, target
    n = 8192
    for name, dtype, tf32 in (("f32", torch.float32, False), ("tf32", torch.float32, True), ("bf16", torch.bfloat16, False)):
        torch.backends.cuda.matmul.allow_tf32 = tf32
        a, b = (torch.randn(n, n, device="cuda", dtype=dtype) for _ in range(2))
        result[f"{name}_TFLOP_per_s"] = 2e-12 * n**3 / seconds(lambda: a @ b)
    print(json.dumps({k: round(v, 1) if isinstance(v, float) else v for k, v in result.items()}))


if __name__ == "__main__":
    main()
