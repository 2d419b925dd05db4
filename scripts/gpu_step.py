#!/usr/bin/env python3
"""One training step on a device against the CPU's: losses and gradients of two blocks of a model with layers of full size, by
`fade grad`. Prints as JSON the largest error of each run and the tensor that has it: |g - e| / |e|, of a tensor as a vector, where e
is computed in f64 on the CPU. Rounding switches a few of a million ReLUs, and one of them is worth up to a thousandth of a gradient
that passes it: losses and gradients that pass none on their way back are judged apart. Exit status 1 if a device's error is out of
proportion to the rounding of its numbers.

    gpu_step.py FADE TEXT [--device cuda] [--set KEY=VALUE...]      TEXT: a file to train on
"""

import argparse
import json
import subprocess
import sys
import tempfile
from array import array
from math import inf, isnan, sqrt
from operator import sub
from pathlib import Path

CONFIG = Path(__file__).resolve().parents[1] / "configs/enwik8_12l.yaml"
# Streams, blocks and layers so few that a CPU needs seconds; no chance, which would not be the same in f64.
SIZES = {"model.layers": 2, "model.dropout": 0, "model.span.noisy": "false", "train.batch": 1, "train.eval_every": 0}
BLOCKS = 2
# f32 rounds at 6e-8, TF32 at 5e-4, bf16 at 4e-3; a gradient is a sum of thousands of terms, and may be small beside them.
TOLERANCE = {"f32": 1e-5, "tf32": 5e-3, "bf16": 2**-6}
TOLERANCE_PAST_RELU = {"f32": 1e-3, "tf32": 3e-2, "bf16": 2e-1}  # bf16: see tests/models/golden_test.cpp
PASSES_NO_RELU = ("loss", "aux", "grad.out.")


def read(path):
    """A safetensors file of f32 and f64: {name: array}"""
    data = path.read_bytes()
    size = int.from_bytes(data[:8], "little")
    tensors = json.loads(data[8 : 8 + size])
    tensors.pop("__metadata__", None)
    values = {}
    for name, t in tensors.items():
        begin, end = t["data_offsets"]
        values[name] = array({"F32": "f", "F64": "d"}[t["dtype"]], data[8 + size + begin : 8 + size + end])
    return values


def norm(numbers):
    return sqrt(sum(x * x for x in numbers))


def worst(values, exact, past_relu):
    """[the largest relative error, the tensor that has it]; what is no number is the largest"""
    errors = {
        name: norm(map(sub, values[name], e)) / max(norm(e), 1e-300)
        for name, e in exact.items()
        if name.startswith(PASSES_NO_RELU) != past_relu
    }
    name = max(errors, key=lambda name: inf if isnan(errors[name]) else errors[name])
    return [float(f"{errors[name]:.2g}"), name]


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("fade")
    p.add_argument("text", type=Path)
    p.add_argument("--device", default="cuda")
    p.add_argument("--set", nargs="+", default=[])
    args = p.parse_args()
    sets = [f"{key}={value}" for key, value in (SIZES | {"data.path": args.text}).items()] + args.set

    with tempfile.TemporaryDirectory() as folder:
        run, tokens = Path(folder) / "run", Path(folder) / "tokens"

        def fade(command, *options, more=()):
            call = [args.fade, command, str(CONFIG), *options, *(word for s in (*sets, *more) for word in ("--set", s))]
            done = subprocess.run(call, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
            if done.returncode:
                raise SystemExit(f"fade {command} {' '.join(options)}: exit {done.returncode}\n{done.stderr}")

        def gradients(device, dtype, precision):
            out = Path(folder) / "gradients.safetensors"
            inputs = ("--weights", str(run), "--tokens", str(tokens), "--blocks", str(BLOCKS))
            fade("grad", *inputs, "--dtype", dtype, "--device", device, "--out", str(out), more=[f"precision={precision}"])
            return read(out)

        fade("train", "--device", "cpu", "--out", str(run), more=["train.steps=1"])
        tokens.write_bytes(args.text.read_bytes()[:100000])
        exact = gradients("cpu", "f64", "f32")
        found, wrong = {}, False
        for device, precision in (("cpu", "f32"), *((args.device, precision) for precision in TOLERANCE)):
            values = gradients(device, "f32", precision)
            for past_relu, tolerance in enumerate((TOLERANCE, TOLERANCE_PAST_RELU)):
                error = worst(values, exact, past_relu)
                found[f"{device} {precision}{', past ReLU' * past_relu}"] = error
                wrong |= not error[0] <= tolerance[precision]
    print(json.dumps(found))
    sys.exit(wrong)


if __name__ == "__main__":
    main()
