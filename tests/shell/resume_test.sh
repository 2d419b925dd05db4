#!/bin/bash
# Runs on disk: two processes give the same bits, and a run that is stopped, by its configuration or by Ctrl-C, and
# resumed gives those of a run that was not. Needs $FADE, the program.
set -u

fade=$FADE
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir" || exit 1

failures=0
# holds WHAT COMMAND..: the command succeeds
holds() {
  what=$1
  shift
  if "$@" >out 2>err; then
    echo "ok      $what"
  else
    echo "FAILED  $what: exit code $?"
    cat out err
    failures=$((failures + 1))
  fi
}

cat >c.yaml <<'YAML'
model:
  {layers: 2, hidden: 16, ff: 32, heads: 2, block: 8, max_span: 24, dropout: 0.1,
   span: {ramp: 4, loss: 1.0e-3, pre_div: 1, init: 0.3, noisy: true}}
data: {path: text, vocab: 128}
train:
  batch: 4
  steps: 200
  optimizer: {lr: 3.0e-3}
  schedule: {kind: cosine, warmup: 20}
  checkpoint_every: 100
  eval_every: 100
device: cpu
YAML
for i in $(seq 200); do echo "$i bottles on the wall"; done >text
same_weights() { cmp "$1/model.safetensors" "$2/model.safetensors"; }
same_state() { cmp "$1/state.safetensors" "$2/state.safetensors"; }

holds "a run" "$fade" train c.yaml --out straight
holds "the same in another process" "$fade" train c.yaml --out again
holds "has the same weights" same_weights straight/step-200 again/step-200
holds "and the same state" same_state straight/step-200 again/step-200

# As if the run had been killed after step 100: its checkpoint is the newest, a half-written one lies beside it.
cp -r straight killed
rm -r killed/step-200
echo step-100 >killed/latest
mkdir killed/step-200.tmp
echo half >killed/step-200.tmp/model.safetensors
holds "a killed run resumes" "$fade" train c.yaml --out killed --resume
holds "to the same weights" same_weights straight/step-200 killed/step-200
holds "and the same state" same_state straight/step-200 killed/step-200
holds "without leftovers" test ! -e killed/step-200.tmp
holds "each line of the metrics is there once" sh -c 'test "$(grep -c valid_bpb killed/metrics.jsonl)" -eq 2'

# Ctrl-C, at whatever step it comes.
"$fade" train c.yaml --out stopped --set train.log_every=1 >out 2>err &
pid=$!
for _ in $(seq 600); do
  grep -q '"step":20,' stopped/metrics.jsonl 2>/dev/null && break
  sleep 0.02
done
kill -INT $pid
holds "an interrupted run ends with exit code 0" wait $pid
holds "with a checkpoint" test -s "stopped/$(cat stopped/latest)/model.safetensors"
holds "before its end" test "$(cat stopped/latest)" != step-200
holds "an interrupted run resumes" "$fade" train c.yaml --out stopped --resume
holds "to the same state" same_state straight/step-200 stopped/step-200

holds "a finished run resumes to nothing new" "$fade" train c.yaml --out straight --resume
holds "and keeps its checkpoint" same_weights straight/step-200 again/step-200
holds "a corpus without validation trains" "$fade" train c.yaml --out all --set 'data.split=[100,0,0]' --set train.steps=5
holds "and leaves its checkpoint" test -s all/step-5/model.safetensors

[ "$failures" -eq 0 ] || { echo "$failures failed"; exit 1; }
