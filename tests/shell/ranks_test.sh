#!/bin/bash
# Several ranks train the model that one process trains: every figure of every step, any kind of model, repeated bit for bit,
# and resumed by another number of ranks. Needs $FADE, the program, with MPI.
set -u
. tests/shell/cli_support.sh
. "$tests/shell/ranks_support.sh"
ranks_run_files

works "one process" train c.yaml --out r1
for n in 2 4; do
  ranks_work "$n ranks" $n train c.yaml --out r$n
  holds "have its figures over 100 steps" same_figures r1 r$n 1e-10
done
# Else the test would show little: memories that are all alike divide anyhow.
cat >unequal_rows.py <<'PY'
import json, struct, sys
data = open(sys.argv[1], "rb").read()
size = int.from_bytes(data[:8], "little")
header = json.loads(data[8:8 + size])
for layer in "01":
    begin, end = header[f"memory.{layer}.start"]["data_offsets"]
    start = struct.unpack(f"<{(end - begin) // 4}i", data[8 + size + begin:8 + size + end])
    rows = [b - a for a, b in zip(start, start[1:])]
    print("rows of each stream in layer", layer, rows)
    assert len(rows) == 8 and len(set(rows)) > 1
    assert max(rows) < 48
PY
holds "where streams have different numbers of rows" python3 unequal_rows.py r4/step-100/state.safetensors

ranks_work "4 ranks again" 4 train c.yaml --out again
holds "have the same figures, to the bit" same_figures r4 again
for step in 50 100; do holds "and the same checkpoint of step $step" same_checkpoint r4/step-$step again/step-$step; done

# As if a run had been killed after step 50.
killed() {
  cp -r "$1" "$2"
  rm -r "$2/step-100"
  echo step-50 >"$2/latest"
}
killed r4 by1
works "a checkpoint of 4 ranks resumes with one process" train c.yaml --out by1 --resume
holds "to the figures of one" same_figures r1 by1 1e-10
killed r4 by2
ranks_work "and with 2 ranks" 2 train c.yaml --out by2 --resume
holds "to the same figures" same_figures r1 by2 1e-10
killed r4 by4
ranks_work "and with 4 ranks" 4 train --resume by4
holds "to the figures of 4 ranks, to the bit" same_figures r4 by4
holds "and their checkpoint" same_checkpoint r4/step-100 by4/step-100
killed r1 from1
ranks_work "a checkpoint of one process resumes with 4 ranks" 4 train c.yaml --out from1 --resume
holds "to its figures" same_figures r1 from1 1e-10

# other WHAT TOLERANCE OPTIONS..: a few steps of another model
other() {
  what=$1 tolerance=$2
  shift 2
  rm -rf one four
  works "$what: one process" train c.yaml --out one --set train.eval_every=10 "$@"
  ranks_work "and 4 ranks" 4 train c.yaml --out four --set train.eval_every=10 "$@"
  holds "have the same figures" same_figures one four "$tolerance"
}
few=(--set train.steps=10)
other "gradients of two batches" 1e-10 "${few[@]}" --set train.accumulate=2
other transformer_xl 1e-10 "${few[@]}" --set model.kind=transformer_xl
other adaptive_span 1e-10 "${few[@]}" --set model.kind=adaptive_span
other compressive 1e-10 "${few[@]}" --set model.kind=compressive
# In f32 the order of a sum changes its last bits, 6e-8 of it, and 100 steps carry that on: to 4e-7 at most when this was
# written. f32 and f64 differ by 1e-6.
other f32 1e-5 --set dtype=f32
finish
