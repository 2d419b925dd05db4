#!/usr/bin/env python3
"""One training step on a device against the CPU's: losses and gradients of two blocks of a model with layers of full size, by
`fade grad`. Prints as JSON the largest error of each run and the tensor that has it: |g - e| / |e|, of a tensor as a vector, where e
is computed in f64 on the CPU. (An entry alone says little: rounding turns a few of a million ReLUs on or off.) Exit status 1 if a
device's error is out of proportion to the rounding of its numbers.

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
# f32 rounds at 6e-8, TF32 at 5e-4; a gradient is a sum of thousands of terms, and may be small beside them. bf16 rounds at 4e-3:
# most of its error are ReLUs that are switched (tests/models/golden_test.cpp).
TOLERANCE = {"f32": 1e-4, "tf32": 3e-2, "bf16": 2e-1}


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


def worst(values, exact):
    """[the largest relative error, the tensor that has it]; what is no number is the largest"""
    errors = {name: norm(map(sub, values[name], e)) / max(norm(e), 1e-300) for name, e in exact.items()}
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
        found = {"cpu f32": worst(gradients("cpu", "f32", "f32"), exact)}
        wrong = False
        for precision, tolerance in TOLERANCE.items():
            error = worst(gradients(args.device, "f32", precision), exact)
            found[f"{args.device} {precision}"] = error
            wrong |= not error[0] <= tolerance
    print(json.dumps(found))
    sys.exit(wrong)


if __name__ == "__main__":
    main()
