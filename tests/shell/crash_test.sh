#!/bin/bash
# A run that is killed at random moments, again and again, and resumed each time, ends with the bits of a run without
# kills. It writes a checkpoint at every step, so that many kills fall into a write. Needs $FADE, the program.
#   FADE_KILLS=1000 FADE=build/fade tests/shell/crash_test.sh      more kills than continuous integration takes
set -u
. tests/shell/cli_support.sh
kills=${FADE_KILLS:-60}

# So large that a write takes a while.
noisy_run_files 64 256 <<'YAML'
  batch: 4
  steps: 1000000
  optimizer: {lr: 3.0e-3}
  schedule: {warmup: 20}
  checkpoint_every: 1
  keep_checkpoints: 2
  eval_every: 7
  eval_bytes: 200
  log_every: 1
YAML
echo 'threads: 1' >>c.yaml
bottles 400 >text

# A kill comes 0 to 49 ms after the run's first checkpoint, on any machine. At least five must fall into a write.
RANDOM=$(date +%N | sed 's/^0*//')
in_a_write=0 resumed=0
for ((k = 1; k <= kills || in_a_write < 5; ++k)); do
  [ $k -le $((10 * kills)) ] || fatal "too few kills fell into a write to prove anything"
  resume=() before=
  [ -d run ] && resume=(--resume) before=$(cat run/latest)
  : >err
  "$fade" train c.yaml --out run "${resume[@]}" >out 2>err &
  pid=$!
  while [ "$(cat run/latest 2>/dev/null)" = "$before" ] && kill -0 $pid 2>/dev/null; do sleep 0.002; done
  sleep 0.0$(printf %02d $((RANDOM % 50)))
  kill -KILL $pid 2>/dev/null || fatal "the run ended by itself before kill $k"
  wait $pid 2>/dev/null
  grep -q "warning" err && fatal "kill $k left something that is not whole"
  grep -q "resumed after step" err && resumed=$((resumed + 1))
  ls run | grep -q '\.tmp$' && in_a_write=$((in_a_write + 1))
done
last=$(sed 's/step-//' run/latest)
echo "$((k - 1)) kills, $in_a_write of them inside a write; $resumed resumed from a checkpoint; step $last reached"
[ "$resumed" -eq $((k - 2)) ] || fatal "every start but the first must resume from a checkpoint"

end=$((last + 10))
works "the killed run finishes" train c.yaml --out run --resume --set train.steps=$end
holds "leaving nothing unfinished" sh -c '! ls run | grep "\.tmp$"'
works "a run without kills" train c.yaml --out straight --set train.steps=$end
holds "has the same weights and state" same_checkpoint straight/step-$end run/step-$end
without_times() { sed -E 's/,"(tokens_per_s|ms|peak_bytes|seconds|cpu_seconds)":[^,}]*//g' "$1"; }
holds "and the same metrics, each step once, apart from times and memory" \
  cmp <(without_times straight/metrics.jsonl) <(without_times run/metrics.jsonl)

works "a run with fewer checkpoints" train c.yaml --out sparse --set train.steps=$end --set train.checkpoint_every=1000
cat >same_tensors.py <<'PY'
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
holds "has the same weights" python3 same_tensors.py straight/step-$end/model.safetensors sparse/step-$end/model.safetensors
finish
