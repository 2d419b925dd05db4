#!/bin/bash
# Which checkpoint a command takes, and what a run can begin with: the best and the newest of a run, weights without a
# configuration, weights of another run; and comparisons with a run that diverges. Needs $FADE, the program.
set -u
. tests/shell/cli_support.sh
says() { grep -q -- "$1" err; }

small_run_files
works "a run" train c.yaml --out run --set train.eval_every=0 --set train.checkpoint_every=2
echo step-2 >run/best
for call in "eval run" "generate run --bytes 5" "info run" "explain run --text text --row 5" "spans run --text text --ansi" \
  "compress run c.yaml c.fade" \
  "grad c.yaml --weights run --tokens text --blocks 2 --out g"; do
  works "$call" $call
  holds "takes the best, and says so" says "^checkpoint: run/step-2, the best checkpoint of run$"
done
holds "names its file" sh -c '"$FADE" info run | head -n 1 | grep -q "^run/step-2/model.safetensors$"'
works "RUN/latest" info run/latest
holds "is the newest" grep -q "^run/step-4/model.safetensors$" out
works "RUN/best" info run/best
holds "is the best" grep -q "^run/step-2/model.safetensors$" out
works "a checkpoint" info run/step-4
holds "is taken without a word" test ! -s err
works "decompress takes what compress took" decompress run c.fade back
holds "and restores the file" cmp back c.yaml
echo step-4 >run/best # a later validation was better
works "decompress finds the checkpoint by the archive, when another is the best" decompress run c.fade back
holds "and restores the file" cmp back c.yaml
holds "and says which it was" says "^checkpoint: run/step-2$"
rm run/best
works "without a best" info run
holds "the newest is taken" says "^checkpoint: run/step-4, the newest checkpoint of run$"
echo step-2 >run/best
truncate -s -1 run/step-2/model.safetensors
works "a damaged best" info run
holds "is passed over with a warning" says "^warning: run/step-2/model.safetensors: .*; taking the next checkpoint of the run"

# A validation split of other letters: the more is learned, the worse it gets.
bottles 200 >changing
bottles 20 | tr a-z A-Z >>changing
works "a run with patience" train c.yaml --out worse --set data.path=changing --set train.steps=400 \
  --set train.eval_every=10 --set train.patience=3 --set train.optimizer.lr=0.01
holds "ends when it is over" says "^stopped at step 41 of 400: no validation since step 10 was better (train.patience: 3)$"
holds "and names the best checkpoint" grep -q "^best checkpoint: worse/step-10, " out
works "which is taken" generate worse --bytes 5
holds "by default" says "^checkpoint: worse/step-10, the best checkpoint of worse$"
works "resuming it" train --resume worse
holds "goes on no further" says "^nothing left to do$"

# Weights alone, as another program writes them.
python3 - run/step-4/model.safetensors alone.safetensors <<'PY'
import json, sys
data = open(sys.argv[1], "rb").read()
length = int.from_bytes(data[:8], "little")
header = json.loads(data[8:8 + length])
del header["__metadata__"]
text = json.dumps(header).encode()
open(sys.argv[2], "wb").write(len(text).to_bytes(8, "little") + text + data[8 + length:])
PY
works "weights without a configuration" eval alone.safetensors --config c.yaml --json
cp out alone.json
works "give the same figures" eval run/step-4 --json
holds "as their run" cmp out alone.json

# The weights of another run.
bottles 50 >other_text
works "a run from another's weights" train c.yaml --from run/step-4 --out tuned --set data.path=other_text \
  --set train.steps=6 --set model.dropout=0.1
holds "says whose they are" says "begins with the weights of run/step-4/model.safetensors"
works "its first checkpoint" eval tuned/step-0 --data text --json
cp out first.json
works "the other run's" eval run/step-4 --data text --json
holds "has the same figures" cmp out first.json
rm -r tuned/step-6
echo step-0 >tuned/latest
works "a run stopped before its first checkpoint" train --resume tuned
holds "has them from step 0 on" sh -c 'test -d tuned/step-6 && ! grep -q "from the beginning" err'

# A comparison with a run that diverges: every update multiplies its weights by a million.
cp c.yaml calm.yaml
sed 's/steps: 4/steps: 400, optimizer: {kind: sgd, lr: 1000, weight_decay: 1000}/' c.yaml >wild.yaml
"$fade" compare wild.yaml calm.yaml --out compared >out 2>err
holds "a comparison of which one run diverges fails" test $? -eq 1
holds "names the run" says "^fade: 1 of 2 runs diverged: wild$"
holds "and what is not finite" says "^wild: step .* not finite.*; it is left out of the comparison$"
holds "but compares the others" grep -q "^calm " out
holds "and writes the table" grep -q "^calm," compared/comparison.csv
"$fade" compare wild.yaml --out compared >out 2>err
holds "a comparison of which all runs diverge fails" test $? -eq 1
holds "and leaves no table of an earlier one" sh -c '! ls compared/comparison.*'
sed -i 's/"valid_mean_rows":[^,]*,/"valid_mean_rows":null,/; s/"ms":[^,]*,/"ms":null,/' compared/calm/metrics.jsonl
sed -i '1i {"step":1,"ms":2.5}' compared/calm/metrics.jsonl
works "figures that are not finite" compare calm.yaml --out compared
holds "are shown as such" grep -qE "^calm .* nan " out
finish
