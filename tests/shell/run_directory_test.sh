#!/bin/bash
# A run's directory while it trains: a second process, signals, full, read-only and vanished folders, damaged
# checkpoints. Needs $FADE, the program.
set -u
. tests/shell/cli_support.sh
chmod 755 "$dir"

# until_says TEXT: waits until the run in the background says so
until_says() { comes grep -q -- "$1" log; }
says() { grep -q -- "$1" log; }

noisy_run_files 16 32 <<'YAML'
  batch: 4
  steps: 600
  optimizer: {lr: 3.0e-3}
  schedule: {warmup: 20}
  checkpoint_every: 10
  keep_checkpoints: 3
  keep_every: 250
  eval_every: 200
  log_every: 10
YAML
echo 'threads: 1' >>c.yaml

works "a run" train c.yaml --out straight
holds "keeps the newest checkpoints, those of every K-th step, and the best" sh -c '
  best=$(cat straight/best)
  expected=$( (echo step-250; echo step-500; echo step-580; echo step-590; echo step-600; echo "$best") | sort -u)
  test "$(ls -d straight/step-* | xargs -n 1 basename | sort)" = "$expected"'

# endless NAME OPTIONS..: a run without end, in the background: $pid
endless() {
  : >log
  "$fade" train c.yaml --set train.steps=1000000 --out "$@" >/dev/null 2>log &
  pid=$!
}

# Two processes.
endless shared
until_says "step 10/"
"$fade" train c.yaml --out shared --resume >out 2>second
code=$?
holds "a second process is refused" test $code -eq 2
holds "and is told why" grep -q "shared: another process is training there" second

# Signals: the run ends within a step, after a checkpoint, even during a validation.
for signal in INT TERM HUP USR1; do
  kill -$signal $pid
  holds "SIG$signal ends a run with exit code 0" wait $pid
  holds "after a checkpoint" says "interrupted after step .*; checkpoint written"
  endless shared --resume
  until_says "resumed after step"
done
kill -KILL $pid
wait $pid 2>/dev/null
yes "a long text to validate on" | head -c 20000000 >long # in blocks of 8: minutes, even on a fast machine
: >log
"$fade" train c.yaml --out validating --set data.path=long --set 'data.split=[1, 99, 0]' --set train.eval_every=1 \
  --set train.log_every=1 >/dev/null 2>log &
pid=$!
until_says "^step 1/" # and then it validates
sleep 0.1
kill -INT $pid
holds "a run that validates is interrupted" wait $pid
holds "after a checkpoint" says "interrupted after step 1; checkpoint written"
holds "before the validation is done" sh -c '! grep -q valid_bpb validating/metrics.jsonl'

# A full disk, here a limit on the size of files: training continues, warns, and tries again.
: >log
(
  ulimit -S -f 16
  exec "$fade" train c.yaml --out full --set train.steps=600
) >/dev/null 2>log &
pid=$!
holds "a full disk is reported" until_says "warning: step 10: no checkpoint was written"
holds "training continues" until_says "warning: step 20: no checkpoint was written"
holds "no unfinished file takes up room" comes sh -c '! ls full | grep -q "\.tmp$"'
limit=$(ulimit -H -f)
[ "$limit" = unlimited ] || limit=$((limit * 1024))
prlimit --pid $pid --fsize="$limit":
holds "the run ends well once there is room" wait $pid
holds "with the bits of a run with room" same_checkpoint straight/step-600 full/step-600
holds "and all its metrics" test "$(wc -l <full/metrics.jsonl)" -eq "$(wc -l <straight/metrics.jsonl)"

# No room until the end: the run fails and names the last checkpoint.
: >log
(
  ulimit -S -f 16
  exec "$fade" train c.yaml --out never --set train.steps=20
) >/dev/null 2>log &
pid=$!
until_says "the last checkpoint is tried again"
kill -TERM $pid
wait $pid
holds "a run without its last checkpoint fails" test $? -eq 1
holds "with an error" says "fade: step 20 has no checkpoint"

# Nor for an error of the corpus, which is named all the same.
cp text cut_text
: >log
(
  ulimit -S -f 16
  exec "$fade" train c.yaml --out never_read --set data.path=cut_text --set train.steps=1000000000 \
    --set train.checkpoint_every=0 --set train.log_every=1000
) >/dev/null 2>log &
pid=$!
until_says "step 1000/"
: >cut_text
until_says "the last checkpoint is tried again"
kill -TERM $pid
wait $pid
holds "a corpus that fails is named" says "^fade: cut_text: cut short while it was read"
holds "and what is lost with it" says "^fade: .*; step .* has no checkpoint"

# The weights that a run begins with are its first checkpoint: without it, resuming would begin with others.
: >log
(
  ulimit -S -f 16
  exec "$fade" train c.yaml --out begun --from straight
) >/dev/null 2>log
holds "no room for the weights to begin with" test $? -eq 1
holds "is an error" says "^fade: .*begun/step-0.* cannot be written: File too large"
"$fade" train c.yaml --out begun --resume >/dev/null 2>log
holds "and there is no run" says "begun holds no run"
mkdir mine
cp c.yaml mine/config.yaml
"$fade" train mine/config.yaml --out mine --from straight >/dev/null 2>log
holds "a configuration that is there" says "^fade: --from: mine/config.yaml is there already"
holds "stays" cmp c.yaml mine/config.yaml

# `latest` names a checkpoint that is not there, nor is one before it.
cp -r straight lost
echo step-100 >lost/latest
"$fade" train c.yaml --out lost --resume >/dev/null 2>log
holds "latest names a checkpoint before all that are there: exit code 2" test $? -eq 2
holds "and the error names them" says "^fade: lost/latest: names step-100, which is not there (write the name of one .*: step-600 step-590"
holds "and nothing has changed" same_checkpoint straight/step-600 lost/step-600
rm -r lost/step-*
"$fade" train c.yaml --out lost --resume >/dev/null 2>log
holds "no checkpoint is there any more" says "^fade: lost/latest: names step-100, .*put that folder back, or remove the file"
holds "and the metrics stay" cmp straight/metrics.jsonl lost/metrics.jsonl

cp -r straight lower
echo step-255 >lower/latest
"$fade" train c.yaml --out lower --resume --set train.steps=250 >/dev/null 2>log
holds "where one before it is there, that is taken" says "^warning: lower/latest names no checkpoint that is there: step-250 is taken"

# All damaged.
cp -r straight broken
for state in broken/step-*/state.safetensors; do truncate -s 100 "$state"; done
"$fade" train c.yaml --out broken --resume >/dev/null 2>log
holds "no checkpoint is whole" says "no checkpoint of broken is whole (weights that are begin a new run: .* --from broken"

# Read-only.
mkdir readonly
chmod 777 readonly
: >log
"${as_user[@]}" "$fade" train c.yaml --out readonly --set train.steps=1000000 >/dev/null 2>log &
pid=$!
comes test -e readonly/latest
chmod a-w readonly readonly/metrics.jsonl
holds "a read-only folder is reported" until_says "no checkpoint was written.*Permission denied"
chmod a+w readonly readonly/metrics.jsonl
cp readonly/latest saved
holds "and used again once it is writable" comes sh -c '! cmp -s readonly/latest saved'
kill -INT $pid
holds "the run ends well" wait $pid

# The folder vanishes.
endless gone
until_says "step 10/"
mv gone away && rm -rf away
holds "a vanished folder is reported" until_says "warning: gone had vanished and was created again"
comes test -e gone/latest
"$fade" train c.yaml --out gone --resume >out 2>second
holds "its new one is locked, too" grep -q "another process is training there" second
kill -INT $pid
holds "the run ends well" wait $pid
holds "and can be resumed" sh -c '"$FADE" train gone/config.yaml --out gone --resume --set train.steps=$(($(sed s/step-// gone/latest) + 5))'

# Damaged checkpoints: whichever file is damaged, the checkpoint before is taken, with a warning.
for damage in model state; do
  rm -rf torn
  cp -r straight torn
  file=torn/step-600/$damage.safetensors
  at=$(($(stat -c %s $file) * 2 / 3))
  byte=$(dd if=$file bs=1 skip=$at count=1 status=none | od -An -tu1)
  printf "\\$(printf %o $((byte ^ 1)))" | dd of=$file bs=1 seek=$at conv=notrunc status=none
  holds "a run with a flipped bit in $damage.safetensors resumes" sh -c '"$FADE" train c.yaml --out torn --resume 2>log'
  holds "with a warning" says "warning: .*step-600/$damage.safetensors: damaged.*going back"
  holds "and ends with the same bits" same_checkpoint straight/step-600 torn/step-600
  holds "the damaged checkpoint is kept" test -d torn/step-600.damaged
done
rm -rf torn
cp -r straight torn
cp torn/step-590/state.safetensors torn/step-600/
holds "a state of other weights counts as damage" sh -c '"$FADE" train c.yaml --out torn --resume 2>log && grep -q "not written together" log'
rm -rf torn
cp -r straight torn
for step in torn/step-*; do truncate -s -1 "$step/model.safetensors"; done
"$fade" train c.yaml --out torn --resume >out 2>log
holds "without a whole checkpoint, resuming is refused" test $? -eq 2
holds "and nothing is renamed" test -d torn/step-600
truncate -s -1 torn/step-590/model.safetensors
rm -rf torn
cp -r straight torn
truncate -s -1 torn/"$(cat torn/best)"/model.safetensors
holds "fade eval takes the next checkpoint" sh -c '
  "$FADE" eval torn 2>log && grep -q "warning: torn/$(cat torn/best).*taking the next checkpoint" log'

# Back to an older checkpoint: `best` is the best of the steps so far, and no later one.
cp -r straight back
echo step-250 >back/latest
works "a run goes back" train c.yaml --out back --resume --set train.steps=255
holds "to what was best until then" sh -c 'test ! -e back/best || {
  step=$(sed s/step-// back/best) && test "$step" -le 255 && test -d "back/step-$step"; }'

# A checkpoint that cannot be read for now may be whole: it is not passed over.
rm -rf torn
cp -r straight torn
chmod -R a+rwX torn
chmod 000 torn/step-600/state.safetensors
"${as_user[@]}" "$fade" train c.yaml --out torn --resume >out 2>log
holds "a newest checkpoint without permission to read: exit code 2" test $? -eq 2
holds "and the reason" says "^fade: torn/step-600/state.safetensors: permission denied"
holds "and nothing is renamed" test -d torn/step-600
chmod -R a+rX,a-w torn
"${as_user[@]}" "$fade" train c.yaml --out torn --resume >out 2>log
holds "a run without permission to write: exit code 2" test $? -eq 2
holds "and the reason" says "^fade: torn/lock: permission denied"
chmod -R u+w torn

# Killed before the first checkpoint.
mkdir young
cp straight/config.yaml young
holds "a run without a checkpoint yet starts again" sh -c '"$FADE" train c.yaml --out young --resume --set train.steps=5 2>log && grep -q "starts from the beginning" log'

# Damaged lines of metrics are dropped.
rm -rf torn
cp -r straight torn
printf '{"step": "x"}\n{"step": 600, "seconds": "long", "valid_bpb": []}\n[1]\nhalf a li' >>torn/metrics.jsonl
works "damaged metrics do not keep a run from resuming" train c.yaml --out torn --resume

# Training that diverges: every update multiplies the weights by a million.
wild() { "$fade" train c.yaml --out "$1" --set train.optimizer.kind=sgd --set train.optimizer.lr=1000 \
  --set train.optimizer.weight_decay=1000 --set train.schedule.warmup=0 --set train.checkpoint_every="$2" >out 2>log; }
wild wild 2
holds "a run that diverges fails" test $? -eq 1
holds "and names what is not finite" says "^fade: step .* not finite"
holds "what to lower" says "lower train.optimizer.lr"
holds "and the checkpoint to go back to" says "the last good checkpoint is wild/step-[0-9]*$"
wild early 250
holds "and that there is none, if so" says "there is no checkpoint yet"

# Changed settings.
"$fade" train c.yaml --out straight --resume --set model.hidden=32 --set model.layers=3 --set train.clip=1.0 >out 2>log
holds "a changed model is refused" test $? -eq 2
holds "naming all that differs" says "model.layers was 2, is 3; model.hidden was 16, is 32"
"$fade" train c.yaml --out straight --resume --set train.steps=605 --set train.clip=1.0 \
  --set train.optimizer.lr=1.0e-3 >out 2>log
holds "changed settings are not" test $? -eq 0
holds "and are listed" sh -c 'grep -q "train.clip was 0.3, is 1.0" log && grep -q "train.optimizer.lr was 0.003, is 0.001" log'
finish
