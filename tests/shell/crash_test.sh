#!/bin/bash
# A run that is killed at random moments, over and over, and resumed each time, ends with the bits of a run that was
# left alone. It writes a checkpoint every step, so that many of the kills fall into a write. Needs $FADE, the program.
#   FADE_KILLS=1000 FADE=build/fade tests/shell/crash_test.sh      more kills than continuous integration takes
set -u

fade=$FADE
kills=${FADE_KILLS:-60}
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir" || exit 1

failed() {
  echo "FAILED  $*"
  cat err
  exit 1
}

# Everything on that a checkpoint must carry; large enough that writing takes a while.
cat >c.yaml <<'YAML'
model:
  {layers: 2, hidden: 64, ff: 256, heads: 2, block: 8, max_span: 24, dropout: 0.1,
   span: {ramp: 4, loss: 1.0e-3, pre_div: 1, init: 0.3, noisy: true}}
data: {path: text, vocab: 128}
train:
  batch: 4
  steps: 1000000
  optimizer: {lr: 3.0e-3}
  schedule: {warmup: 20}
  checkpoint_every: 1
  keep_checkpoints: 2
  eval_every: 7
  eval_bytes: 200
  log_every: 1
device: cpu
threads: 1
YAML
for i in $(seq 400); do echo "$i bottles on the wall"; done >text

# A kill comes 20 to 119 ms after the run has said that it trains.
RANDOM=$(date +%N | sed 's/^0*//')
in_a_write=0 resumed=0
for ((k = 1; k <= kills; ++k)); do
  resume=()
  [ -d run ] && resume=(--resume)
  : >err
  "$fade" train c.yaml --out run "${resume[@]}" >out 2>err &
  pid=$!
  while ! grep -q "steps of" err && kill -0 $pid 2>/dev/null; do sleep 0.002; done
  sleep 0.$(printf %03d $((20 + RANDOM % 100)))
  kill -KILL $pid 2>/dev/null || failed "the run ended by itself before kill $k"
  wait $pid 2>/dev/null
  grep -q "warning" err && failed "kill $k left something that is not whole"
  grep -q "resumed after step" err && resumed=$((resumed + 1))
  ls run | grep -q '\.tmp$' && in_a_write=$((in_a_write + 1))
done
last=$(sed 's/step-//' run/latest)
echo "$kills kills, $in_a_write of them inside a write; $resumed resumed from a checkpoint; step $last reached"
[ "$in_a_write" -ge 5 ] || failed "too few kills fell into a write to say anything"
[ "$resumed" -ge $((kills / 2)) ] || failed "too few kills came after a checkpoint"

end=$((last + 10))
"$fade" train c.yaml --out run --resume --set train.steps=$end >out 2>err || failed "the killed run does not finish"
ls run | grep -q '\.tmp$' && failed "something unfinished is left in the run directory"
"$fade" train c.yaml --out straight --set train.steps=$end >out 2>err || failed "the run without kills"
for file in model state; do
  cmp "straight/step-$end/$file.safetensors" "run/step-$end/$file.safetensors" || failed "$file differs at step $end"
done
# The log, too, holds every step once and says the same, apart from times and memory.
without_times() { sed -E 's/,"(tokens_per_s|ms|peak_bytes|seconds)":[^,}]*//g' "$1"; }
cmp <(without_times straight/metrics.jsonl) <(without_times run/metrics.jsonl) || failed "the metrics differ"

# With checkpoints at other steps, and fewer of them, the weights are the same.
"$fade" train c.yaml --out sparse --set train.steps=$end --set train.checkpoint_every=1000 >out 2>err || failed "a run"
python3 - "straight/step-$end/model.safetensors" "sparse/step-$end/model.safetensors" <<'PY' || failed "the weights differ"
import json, sys
def tensors(path):
    data = open(path, "rb").read()
    size = int.from_bytes(data[:8], "little")
    header = json.loads(data[8:8 + size])
    header.pop("__metadata__")
    return header, data[8 + size:]
a, b = map(tensors, sys.argv[1:])
sys.exit(a != b)
PY
echo "ok      the killed run ends with the bits of the one without kills"
