#!/usr/bin/env bash
# The tables of docs/scaling.md are those of bench/scaling_model.py, which counts parameters as the program does.
set -u
root=$PWD
. tests/shell/cli_support.sh

check() { python3 "$root/bench/scaling_model.py" --check "$1" >out 2>err; }
holds "the tables of the page are those of the model" check "$root/docs/scaling.md"
sed 's/| `enwik8_12l.yaml` | 38,105,356 |/| `enwik8_12l.yaml` | 38,105,357 |/' "$root/docs/scaling.md" >page.md
holds "another number is refused" eval '! check page.md'
holds "and shown" grep -q '^-.*38,105,357' out
works "one step of recall.yaml" train "$root/configs/recall.yaml" --set data.recall.bytes=20000 --set train.steps=1 --out run
holds "the model counts its parameters as the program does" \
  grep -q "^| .recall.yaml. | $(sed -n 's/.* \([0-9]*\)\([0-9]\{3\}\) parameters.*/\1,\2/p' err) |" "$root/docs/scaling.md"
finish
