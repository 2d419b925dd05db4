#!/bin/bash
# A model learns from real text: after 40 steps on the first bytes of enwik8, its loss is below the entropy of single
# bytes (5.1 bits). Needs $FADE, the program, and the bytes, in data/enwik8 or the file that FADE_ENWIK8 names; skipped
# without them.
set -u
data=$(realpath -m "${FADE_ENWIK8:-data/enwik8}")
if [ ! -s "$data" ]; then
  echo "skipped: no $data (scripts/get_enwik8.sh fetches enwik8; FADE_ENWIK8 may name a file of its first bytes)"
  exit 77
fi
. tests/shell/cli_support.sh

head -c 100000 "$data" >text
cat >c.yaml <<'YAML'
model:
  {layers: 4, hidden: 128, ff: 512, heads: 4, block: 64, max_span: 512, span: {ramp: 32, loss: 1.0e-5, pre_div: 1}}
data: {path: text, split: [95, 5, 0]}
train: {batch: 8, steps: 40, optimizer: {lr: 1.0e-3}, schedule: {kind: constant, warmup: 10}}
device: cpu
YAML
works "a run" train c.yaml --out run
works "its evaluation" eval run --streams 8 --json
holds "is below 4.6 bits per byte" python3 -c '
import json
found = json.load(open("out"))["bits_per_byte"]
assert found < 4.6, found'
works "a comparison" compare c.yaml --steps 2 --out compared
holds "has the published figures" grep -qE "^c .* 1.03 +15 +408$" out
finish
