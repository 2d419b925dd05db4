#!/bin/bash
# The command line: help for every command, and results, alone, on standard output. What is refused: bad_input_test.sh.
# Needs $FADE, the program.
set -u
. tests/shell/cli_support.sh

small_run_files

# Help, everywhere.
works "--help" --help
works "--version" --version
holds "says what runs where" sh -c 'grep -qE "^fade [0-9]+\.[0-9]+" out && grep -q "^compiler: .*, " out && grep -q "^devices: cpu" out'
holds "with the instruction set" grep -qE "^instruction set: [A-Z]" out
for command in train compare eval generate compress decompress grad bench explain spans trace info; do
  works "$command --help" $command --help
  holds "names its arguments" grep -q "Usage: fade $command" out
  holds "and the numbers that they may be" sh -c '! sed -zE "s/\n {20,}/ /g" out | grep -E " (INTEGER|NUMBER)\b" | grep -vE "; an? (integer|number) of at least "'
done

works "a run" train c.yaml --out run
head -c 100 text >tokens
works "grad" grad c.yaml --weights run/step-4/model.safetensors --tokens tokens --blocks 2 --out g.safetensors
"$fade" grad c.yaml --weights - --tokens tokens --blocks 2 --out - <run/step-4/model.safetensors >out 2>err
holds "grad reads and writes standard streams" cmp g.safetensors out
works "and reads a pipe" grad c.yaml --weights run/step-4/model.safetensors --tokens <(cat tokens) --blocks 2 --out g2
holds "as it reads a file" cmp g.safetensors g2

# Results go to standard output, alone.
works "eval --json" eval run --json
holds "prints one object with the promised keys" python3 -c '
import json
found = json.load(open("out"))
assert {"bits_per_byte", "bytes", "split", "streams", "mean_rows"} <= found.keys(), found'
works "a number with a leading zero" eval run --streams 010 --json
holds "is decimal, as in a configuration" grep -q '"streams":10,' out
works "a file" eval run --data text --streams 1 --json
holds "is read whole" grep -q '"bytes":4691,"split":"all"' out
works "a part of a file" eval run --data text --split test --json
holds "is read on request" grep -q '"split":"test"' out
works "streams that do not fill the text" eval run --data text --streams 11
holds "say what they leave out" grep -q "(4686 bytes predicted: all but the first and the last 5; 11 streams)" out
works "a file that is not read to its end" eval run --data text --streams 1
holds "one stream leaves out the first byte" grep -q "all but the first; 1 streams)" out

works "settings of an evaluation" eval run --set train.batch=7 --set 'data.split=[50,50,0]' --json
holds "are read" grep -q '"split":"valid","streams":7,' out
works "a setting without effect" train c.yaml --out recall --set data.kind=recall --set data.path=none --set train.steps=1
holds "is told" grep -q "^--set data.path=none has no effect: data.kind is recall$" err
works "a comparison with one" compare c.yaml --set model.compress.rate=2 --out compared
holds "is told, too" grep -q "^--set model.compress.rate=2 has no effect: model.kind is expire_span$" err

# A vocabulary without a newline.
tr -c '\000' '\001' <text >ones
works "a vocabulary of two" train c.yaml --out two --set data.path=ones --set data.vocab=2
works "generates without a prompt" generate two --bytes 5
holds "bytes that it has" sh -c 'test "$(tr -d "\000\001" <out | wc -c)" -eq 0 && test "$(wc -c <out)" -eq 5'

# A figure that a kind does not have is left out.
works "a kind without spans" train c.yaml --out window --set model.kind=transformer_xl --set train.log_every=1
holds "shows none" sh -c '! grep -qi span out && ! grep -q "span [0-9]" err'
holds "nor writes one" sh -c 'grep -q "\"mean_span\":null" window/metrics.jsonl && grep -q "_span\":null" window/metrics.jsonl'
works "its evaluation" eval window
holds "neither" sh -c '! grep -q span out'
works "its evaluation" eval window --json
holds "nor" sh -c '! grep -q span out'
works "a compressed memory" train c.yaml --out slots --set model.kind=compressive --set model.compress.slots=3
holds "says what it holds" grep -q "^memory: .*; at most 16 rows and 3 slots, each of 4 rows compressed$" out
works "a kind with spans" eval run
holds "shows them" grep -q "^memory: .*; mean span .* of at most 16$" out

# What the report says.
sed 's/$/\r/' text >dos
works "lines that end as on DOS" train c.yaml --out dos_run --set data.path=dos
holds "end in newlines" sh -c 'grep -q "^  newlines " out && ! grep -q "other bytes" out'
works "no room for a validation" train c.yaml --out none --set train.eval_bytes=1
holds "names the reason" grep -q "no validation: train.eval_bytes leaves it less than two bytes" err
works "eval of a file" eval run --data text --json
cp out file.json
cat text | "$fade" eval run --data - --json >out 2>err
holds "reads standard input as it reads the file" cmp file.json out
works "eval of a pipe" eval run --data <(cat text) --json
holds "too" cmp file.json out
works "generate" generate run --prompt "12 bott" --bytes 5 --temperature 0
holds "continues the prompt, without a newline of its own" sh -c 'head -c 7 out | grep -qx "12 bott" && test "$(wc -c <out)" -eq 12'
cp out continued
printf '12 bott' >prompt
works "generate --prompt-file" generate run --prompt-file prompt --bytes 5 --temperature 0
holds "continues the file" cmp continued out
"$fade" generate run --prompt-file - --bytes 5 --temperature 0 <prompt >out 2>err
holds "and standard input" cmp continued out
"$fade" generate run --prompt "12 bott" --bytes 0 >both 2>&1
holds "in one log, the text and messages have lines of their own" grep -qx "12 bott" both
works "info" info run
holds "counts parameters" grep -q "parameters in 18 tensors" out

finish
