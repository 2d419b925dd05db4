#!/bin/bash
# Resuming a run after something has changed: the command that resumes, another optimizer, other settings, another
# corpus. Needs $FADE, the program.
set -u
. tests/shell/cli_support.sh
says() { grep -q -- "$1" err; }
quiet() { ! says "$1"; }

cat >c.yaml <<'YAML'
model: {layers: 1, hidden: 16, ff: 16, heads: 2, block: 8, max_span: 16, span: {ramp: 4, pre_div: 1}}
data: {path: text, vocab: 128, split: [50, 50, 0]}
train: {batch: 2, steps: 12, schedule: {warmup: 0}, eval_every: 4, checkpoint_every: 4}
device: cpu
threads: 1
YAML
bottles 200 >text
works "a run" train c.yaml --out run
# copy NAME: the run, as it was after step 8
copy() {
  rm -rf "$1"
  cp -r run "$1"
  rm -r "$1/step-12"
  echo step-8 >"$1/latest"
}

# The command that resumes.
copy "my run's"
works "--resume RUN" train --resume "my run's"
holds "continues to the same bits" same_checkpoint run/step-12 "my run's/step-12"
copy again
works "--resume RUN/latest" train --resume again/latest --set train.steps=10
copy again
works "--resume RUN with its own --out" train --resume again/ --out ./again
works "RUN/config.yaml --resume" train again/config.yaml --resume
holds "means the run in whose folder it is" same_checkpoint run/step-12 again/step-12
mkdir -p runs
copy runs/c
cp -r again latest
works "a run called latest" train --resume latest
works "CONFIG --resume" train c.yaml --resume
holds "means the run that CONFIG makes" same_checkpoint run/step-12 runs/c/step-12
copy runs/c
works "--resume CONFIG" train --resume c.yaml
holds "too" same_checkpoint run/step-12 runs/c/step-12
"$fade" train --resume "my run's" --set train.steps=1000000000 >out 2>log &
pid=$!
comes grep -q "resumed after step" log
kill -INT $pid
wait $pid
holds "an interrupted run names the call, quoted" grep -qF "resume with: $fade train --resume 'my run'\\''s'" log

copy unset
rm unset/config.yaml
"$fade" train --resume unset >out 2>err
holds "a run without its configuration: exit code 2" test $? -eq 2
holds "names the call that takes another" says "^fade: unset/config.yaml: no such file (give the run's configuration: .*train CONFIG --out unset --resume)"

# Another optimizer.
copy other
works "another optimizer" train --resume other --set train.optimizer.kind=adagrad
holds "starts with moments of zero, and says so" says "the optimizer was adam, is adagrad: its moments start at zero"
copy other
works "adamw for adam" train --resume other --set train.optimizer.kind=adamw
holds "goes on with its moments" quiet "start at zero"

# Settings.
copy set
works "what only training uses may change" train --resume set --set model.dropout=0.1 --set model.span.loss=1.0e-3 \
  --set model.span.noisy=true
holds "and is said" says "model.dropout was 0.0, is 0.1"
copy set
works "chunks longer than a part" train --resume set --set train.chunk_bytes=1000000
holds "are said" says "resumed with another setting: train.chunk_bytes was 0, is 1000000"
bits() { grep -o '"valid_bpb":[^,]*' "$1/metrics.jsonl" | tail -1; }
holds "and change nothing" test "$(bits set)" = "$(bits run)"
copy set
works "other chunks" train --resume set --set train.chunk_bytes=100
holds "begin with empty memories" says "^streams continue at offset 64 with empty memories"
copy set
works "short ones" train --resume set --set train.chunk_bytes=1
holds "begin again" says "^streams start again, with empty memories"
"$fade" train --resume set --set train.turns=2 >out 2>err
holds "other turns: exit code 2" test $? -eq 2
holds "must stay" says "must stay: train.turns was 1, is 2"

# The corpus.
copy corpus
works "the same corpus" train --resume corpus
holds "is no news" quiet "has changed"
copy corpus
bottles 230 >text
works "a longer corpus" train --resume corpus
holds "is said" says "warning: text has changed: .* bytes were trained on, it has .* now"
holds "streams continue" says "streams continue at offset .* with empty memories"
holds "the best starts anew" sh -c 'grep -q "the best validation starts anew" err && grep -q step-12 corpus/best'
eval_says() { "$fade" eval "$@" >out 2>err && says "text has changed: .* were trained on, it has .* now (--data FILE"; }
holds "an evaluation says it, too" eval_says run
holds "and with other settings" eval_says run --set "data.split=[40,60,0]"
holds "but not of a text that is given" sh -c '! "$1" eval run --data text 2>&1 | grep -q "has changed"' - "$fade"
copy corpus
bottles 9 >text
works "a shorter corpus" train --resume corpus --set train.steps=30 --set train.keep_checkpoints=1
holds "keeps the last checkpoint of the one before" test -d corpus/step-8 -a ! -d corpus/step-4 -a ! -d corpus/step-12
holds "and says so" says "step-8, the last checkpoint of before, is kept"
works "also when it is resumed again" train --resume corpus --set train.steps=40 --set train.keep_checkpoints=1
holds "step-8 stays" test -d corpus/step-8 -a ! -d corpus/step-28
copy corpus
works "a shorter corpus again" train --resume corpus
holds "starts again" says "streams start again, with empty memories"
copy corpus
bottles 200 | tr b c >text
works "other text of the same size" train --resume corpus
holds "is said, too" says "text has changed: it has .* bytes as before, but other ones"
copy corpus
bottles 200 >text
works "other bytes to validate on" train --resume corpus --set train.eval_bytes=300
holds "are another best, too" says "train.eval_bytes has changed: the best validation starts anew"
copy corpus
works "another split" train --resume corpus --set 'data.split=[40, 60, 0]'
holds "likewise" says "the best validation starts anew"
# Before the next validation, no checkpoint is the best.
copy corpus
bottles 230 >text
works "another corpus, before its first validation" train --resume corpus --set train.steps=11 --set train.eval_every=0 \
  --set train.checkpoint_every=1 --set 'data.split=[100, 0, 0]'
holds "has no best" test ! -e corpus/best

# The corpus is cut short while it is read: one error, after a checkpoint of the last step.
bottles 200 >text
: >log
"$fade" train c.yaml --out short --set train.steps=1000000000 --set train.checkpoint_every=0 >out 2>log &
pid=$!
comes grep -q "step 8: validation" log
: >text
wait $pid
holds "a corpus that is cut short ends the run" test $? -eq 2
holds "with an error" grep -q "^fade: text: cut short while it was read: it had .* bytes, it has 0 now" log
holds "that says how to go on" grep -q "step .* has a checkpoint; resume with: .* train --resume short$" log
bottles 200 >text
step=$(sed s/step-// short/latest)
works "it resumes when the corpus is whole" train --resume short --set train.steps=$((step + 20))
works "a run whose corpus was always whole" train c.yaml --out whole --set train.steps=$((step + 20)) \
  --set train.checkpoint_every=0
holds "ends with the same bits" same_checkpoint whole/step-$((step + 20)) short/step-$((step + 20))

# A comparison needs the same bytes for all its runs.
bottles 200 >text
works "a comparison" compare c.yaml --out compared
bottles 230 >text
"$fade" compare c.yaml --out compared --steps 20 >out 2>err
holds "does not go on with another corpus" test $? -eq 2
holds "and says why" says "^fade: compared/c: text has changed: .* figures of other bytes cannot be compared"
bottles 200 >text
"$fade" compare c.yaml --out compared --set train.eval_bytes=300 >out 2>err
holds "nor with another validation" test $? -eq 2
finish
