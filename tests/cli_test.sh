#!/bin/bash
# The command line: whatever is wrong with a call is said in one clear line on standard error that names it, with
# exit code 2 and nothing on standard output. Needs $FADE, the program.
set -u
. tests/cli_support.sh

cat >c.yaml <<'YAML'
model: {layers: 1, hidden: 16, ff: 16, heads: 2, block: 8, max_span: 16, span: {ramp: 4, pre_div: 1}}
data: {path: text, vocab: 128}
train: {batch: 2, steps: 4, schedule: {warmup: 0}}
device: cpu
threads: 1
YAML
for i in $(seq 200); do echo "$i bottles on the wall"; done >text
: >empty
printf 'a short text' >short
printf 'caf\303\251 %.0s' $(seq 200) >latin

# Help, everywhere.
works "--help" --help
for command in train compare eval generate compress decompress grad bench info; do
  works "$command --help" $command --help
  holds "names its arguments" grep -q "Usage: fade $command" out
done

# Calls that are not commands.
refused "no command" "a command is missing; there are: train, compare, eval, generate, compress, decompress, grad, bench, info"
refused "an unknown command" "frob: no such command; there are: train" frob
refused "an unknown option before a command" "--frob: no such command" --frob
refused "a missing argument" "fade train: CONFIG is required" train
refused "another missing argument" "fade eval: CHECKPOINT is required" eval
refused "a missing option" "fade grad: --weights is required" grad c.yaml
refused "an unknown option" "fade train: The following argument was not expected: --frob" train c.yaml --frob
refused "one argument too many" "extra" train c.yaml extra
refused "an option without its value" "fade train: --out" train c.yaml --out

# Configurations.
refused "a missing configuration" "none.yaml: no such file" train none.yaml
refused "an empty configuration" "empty: empty" train empty
refused "a directory as configuration" ".: a directory" train .
echo 'model: {layers: [}' >broken.yaml
refused "broken YAML" "broken.yaml:1: not YAML" train broken.yaml
printf 'model:\n  hidden: 16\n  flavour: sweet\n' >unknown.yaml
refused "an unknown key" "unknown.yaml:3: model.flavour: unknown key" train unknown.yaml
printf 'model:\n  hiden: 16\n' >misspelt.yaml
refused "a misspelt key" "misspelt.yaml:2: model.hiden: unknown key (did you mean model.hidden?)" train misspelt.yaml
printf 'model:\n  hidden: wide\n' >type.yaml
refused "a wrong type" "type.yaml:2: model.hidden: found wide, allowed: an integer" train type.yaml
refused "a ramp of 1" "model.span.ramp: found 1, allowed: an integer of at least 2" train c.yaml --set model.span.ramp=1
refused "heads that don't divide" "model.hidden: found 16, allowed: a multiple of model.heads (3)" \
  train c.yaml --set model.heads=3
refused "--set without =" "--set foo: found no '='" train c.yaml --set foo
refused "--set of an unknown key" "--set train.step=3: train.step: unknown key (did you mean train.steps?)" \
  train c.yaml --set train.step=3
refused "--set of a section" "--set train=3: train is a section" train c.yaml --set train=3
refused "--set without a value" "fade train: --set" train c.yaml --set
refused "an unknown device" "--device abacus: allowed: auto, cpu, cuda" train c.yaml --device abacus

# Corpora.
refused "a missing corpus" "none: no such file" train c.yaml --set data.path=none
refused "an empty corpus" "empty: empty" train c.yaml --set data.path=empty
refused "a directory as corpus" ".: a directory" train c.yaml --set data.path=.
refused "a corpus too small for the batch" "short (training split): 10 bytes to train on, but a batch of 2 streams" \
  train c.yaml --set data.path=short
refused "bytes outside the vocabulary" "latin: byte 195 at offset 3 is outside the vocabulary: data.vocab is 128" \
  train c.yaml --set data.path=latin
holds "a refused run leaves nothing behind" test ! -e runs

# Runs.
works "a run" train c.yaml --out run
refused "a run that is there already" "run: already holds a run (--resume" train c.yaml --out run
refused "--resume without a run" "--resume: norun holds no run" train c.yaml --out norun --resume
refused "--resume with another model" "--resume: run holds a run of another model" \
  train c.yaml --out run --resume --set model.hidden=32
cp run/config.yaml before
refused "--resume with another batch" "was trained on 2 streams, train.batch is 3" \
  train c.yaml --out run --resume --set train.batch=3
holds "leaves the run's configuration as it was" cmp before run/config.yaml
refused "--out below a file" "--out text/run: cannot be made" train c.yaml --out text/run

# A run whose last checkpoint is damaged or gone.
cp -r run torn
truncate -s 300 torn/step-4/state.safetensors
refused "a damaged state" "torn/step-4/state.safetensors: not a readable safetensors file" \
  train c.yaml --out torn --resume --set train.steps=8
truncate -s 300 torn/step-4/model.safetensors
refused "damaged weights" "torn/step-4/model.safetensors: not a readable safetensors file" eval torn
rm -r torn/step-4
refused "a checkpoint that is gone" "torn: neither a checkpoint (no model.safetensors) nor a run with one" eval torn

# Checkpoints.
refused "a missing checkpoint" "none: there is no such run, checkpoint or file" eval none
refused "a directory without one" ".: neither a checkpoint" info .
refused "a text as checkpoint" "text: not a readable safetensors file" generate text
refused "an empty checkpoint" "empty: not a readable safetensors file" info empty
refused "a missing corpus to evaluate" "none: no such file" eval run --data none
refused "an empty corpus to evaluate" "empty: empty" eval run --data empty
refused "an evaluation outside the vocabulary" "latin: byte 195 at offset 3" eval run --data latin
refused "an unknown split" "--split most: allowed: train, valid, test, all" eval run --split most
refused "more streams than bytes" "short (all): 12 bytes to evaluate, but 12 streams need 13" \
  eval run --data short --split all --streams 12
refused "no streams" "fade eval: --streams: found 0, allowed: a number of at least 1" eval run --streams 0
refused "a word for a number" "fade generate: --bytes: found many, allowed: a number" generate run --bytes many
refused "a negative temperature" "--temperature: found -1, allowed: a number of at least 0" \
  generate run --temperature -1
refused "a prompt outside the vocabulary" "--prompt: byte 195 is outside the vocabulary of 128" \
  generate run --prompt "a café"

# Gradients.
head -c 100 text >tokens
weights=run/step-4/model.safetensors
works "grad" grad c.yaml --weights $weights --tokens tokens --blocks 2 --out g.safetensors
refused "missing weights" "none: cannot be read: No such file" \
  grad c.yaml --weights none --tokens tokens --blocks 2 --out g2
refused "weights of another model" "embed.weight has shape [128,16], the model needs [128,32]" \
  grad c.yaml --weights $weights --tokens tokens --blocks 2 --out g2 --set model.hidden=32
refused "too few tokens" "--tokens: 100 bytes are too few: 2 streams of 20 blocks of 8 need 322" \
  grad c.yaml --weights $weights --tokens tokens --blocks 20 --out g2
refused "tokens outside the vocabulary" "--tokens: byte 195 at offset 3 is outside the vocabulary" \
  grad c.yaml --weights $weights --tokens latin --blocks 2 --out g2
refused "an unknown type" "--dtype f12: allowed: f32, f64, bf16" \
  grad c.yaml --weights $weights --tokens tokens --blocks 2 --out g2 --dtype f12
refused "a context smaller than the block" "--live 3: a context has at least the block's own 8 rows" bench c.yaml --live 3
holds "a refused call writes nothing" test ! -e g2

# Results go to standard output, alone.
works "eval --json" eval run --json
holds "prints one object with the promised keys" python3 -c '
import json
found = json.load(open("out"))
assert {"bits_per_byte", "bytes", "split", "streams", "mean_rows"} <= found.keys(), found'
works "generate" generate run --prompt "12 bott" --bytes 5 --temperature 0
holds "goes on from the prompt" sh -c 'head -c 7 out | grep -qx "12 bott" && test "$(wc -c <out)" -eq 13'
works "info" info run
holds "counts parameters" grep -q "parameters in 18 tensors" out

finish
