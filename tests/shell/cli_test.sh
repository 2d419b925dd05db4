#!/bin/bash
# The command line: help for every command, and results, alone, on standard output. What is refused: bad_input_test.sh.
# Needs $FADE, the program.
set -u
. tests/shell/cli_support.sh

small_run_files

# Help, everywhere.
works "--help" --help
for command in train compare eval generate compress decompress grad bench info; do
  works "$command --help" $command --help
  holds "names its arguments" grep -q "Usage: fade $command" out
done

works "a run" train c.yaml --out run
head -c 100 text >tokens
works "grad" grad c.yaml --weights run/step-4/model.safetensors --tokens tokens --blocks 2 --out g.safetensors

# Results go to standard output, alone.
works "eval --json" eval run --json
holds "prints one object with the promised keys" python3 -c '
import json
found = json.load(open("out"))
assert {"bits_per_byte", "bytes", "split", "streams", "mean_rows"} <= found.keys(), found'
works "a number with a leading zero" eval run --streams 010 --json
holds "is decimal, as in a configuration" grep -q '"streams":10,' out
works "generate" generate run --prompt "12 bott" --bytes 5 --temperature 0
holds "continues the prompt, without a newline of its own" sh -c 'head -c 7 out | grep -qx "12 bott" && test "$(wc -c <out)" -eq 12'
works "info" info run
holds "counts parameters" grep -q "parameters in 18 tensors" out

finish
