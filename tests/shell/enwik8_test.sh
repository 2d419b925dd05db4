#!/bin/bash
# A model learns from real text: after 40 steps on the first bytes of enwik8, its loss is below what the frequencies
# of single bytes give (5.1 bits). Needs $FADE, the program, and the bytes, in data/enwik8 or the file that
# FADE_ENWIK8 names; without them it says so and skips.
set -eu

data=${FADE_ENWIK8:-data/enwik8}
if [ ! -s "$data" ]; then
  echo "skipped: no $data (scripts/get_enwik8.sh fetches enwik8; FADE_ENWIK8 may name a file of its first bytes)"
  exit 77
fi
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT

head -c 100000 "$data" >"$dir/text"
cat >"$dir/c.yaml" <<YAML
model:
  {layers: 4, hidden: 128, ff: 512, heads: 4, block: 64, max_span: 512, span: {ramp: 32, loss: 1.0e-5, pre_div: 1}}
data: {path: $dir/text, split: [95, 5, 0]}
train: {batch: 8, steps: 40, optimizer: {lr: 1.0e-3}, schedule: {kind: constant, warmup: 10}}
device: cpu
YAML
"$FADE" train "$dir/c.yaml" --out "$dir/run"
bits=$("$FADE" eval "$dir/run" --streams 8 --json | python3 -c 'import json; print(json.load(open(0))["bits_per_byte"])')
echo "$bits bits per byte"
python3 -c "assert $bits < 4.6"
