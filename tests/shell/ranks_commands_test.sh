#!/bin/bash
# Commands under mpirun: bench, compare and eval divide their streams between ranks, the others are one process, and what is
# said is said once. Needs $FADE, the program; skipped without mpirun, or MPI in the build.
set -u
. tests/shell/cli_support.sh
. "$tests/shell/ranks_support.sh"

# ranks N ARGUMENTS..: fade as N ranks
ranks() {
  n=$1
  shift
  "${mpi[@]}" -np "$n" "$fade" "$@" </dev/null
}
# refused N WHAT CODE LINE ARGUMENTS..: the call ends with that exit code, and the first line of fade is the only one
refused() {
  n=$1 what=$2 code=$3 line=$4
  shift 4
  ranks "$n" "$@" >out 2>err
  found=$?
  holds "$what" test $found -eq "$code" -a "$(grep '^fade' err)" = "$line"
}

ranks_work "the version" 2 --version
holds "comes once" test "$(grep -c '^fade ' out)" -eq 1
ranks_work "help" 2 bench --help
holds "comes once" test "$(grep -c -e --live out)" -eq 1
refused 2 "a wrong option" 2 "fade bench: unexpected arguments: --stesp 2 (did you mean --steps?)" bench c.yaml --live 8 --stesp 2
holds "with a hint" grep -qx "(fade bench --help lists its arguments)" err
refused 2 "no such command" 2 "fade: benhc: no such command (did you mean bench?) $(
  "$fade" benhc 2>&1 | grep -o '(commands: .*')" benhc

config() {  # NAME MODEL..: NAME.yaml
  cat >"$1.yaml" <<YAML
model: {layers: 1, hidden: 16, ff: 16, heads: 2, block: 8, max_span: 16, $2}
data: {path: text, vocab: 128}
train: {batch: 4, steps: 6, log_every: 2, optimizer: {lr: 0.02}, schedule: {warmup: 0}}
dtype: f64
device: cpu
threads: 1
YAML
}
config window "kind: transformer_xl"
config rows "kind: expire_span, span: {ramp: 4, pre_div: 1, loss: 1.0e-3, init: 0.4}"
sed 's/steps: 6/steps: 400/; s/lr: 0.02/kind: sgd, lr: 1000, weight_decay: 1000/' rows.yaml >wild.yaml
bottles 200 >text

# The one that diverges is in the middle: all ranks go on with the next.
"$fade" compare rows.yaml wild.yaml window.yaml --out one >/dev/null 2>&1
ranks 2 compare rows.yaml wild.yaml window.yaml --out two >out 2>err
holds "a comparison in which a run diverges" test $? -eq 1
holds "says so once" test "$(grep -c '^fade: 1 of 3 runs diverged: wild$' err)" -eq 1
holds "prints one row per other run" test "$(grep -cE '^(rows|window) ' out)" -eq 2
holds "writes the table" sh -c 'cut -d, -f1-5 one/comparison.csv >a; cut -d, -f1-5 two/comparison.csv | cmp - a'
cat >same.py <<'PY'
import json, sys
one, two = ([json.loads(line) for line in open(path)][-1] for path in sys.argv[1:])
for key in "bits_per_byte", "mean_rows", "mean_span", "valid_bpb", "valid_mean_rows", "bytes", "streams":
    a, b = one.get(key), two.get(key)
    assert (a is None) == (b is None), key
    assert a is None or abs(a - b) <= 1e-10 * abs(a), (key, a, b)
PY
holds "of the figures of one process" eval "python3 same.py one/rows/metrics.jsonl two/rows/metrics.jsonl &&
  python3 same.py one/window/metrics.jsonl two/window/metrics.jsonl"
refused 2 "other settings than those of a run that is there" 2 \
  "fade: two/rows: was trained with other settings: train.clip was 0.3, is 0.7 (put them back, give another --out, or \
remove two/rows)" compare rows.yaml window.yaml --out two --set train.clip=0.7
echo no directory >two/blocked
cp rows.yaml blocked.yaml
refused 2 "what only rank 0 finds, in the second run" 2 \
  "fade: --out two/blocked: cannot be created: Not a directory" \
  compare window.yaml blocked.yaml --out two
"${mpi[@]}" -np 2 "$fade" compare window.yaml rows.yaml \
  --set train.steps=100000000 --set train.log_every=1 --out stopped >out 2>err </dev/null &
pid=$!
holds "an endless run reaches step 20" comes grep -qs '"step":20,' stopped/window/metrics.jsonl
kill $(pgrep -P "$(pgrep -P $pid)") # the ranks: mpirun would give them a second
wait $pid
holds "a signal ends the comparison" grep -q "0 of 2 runs are finished; the same call of fade compare continues" err
holds "with a checkpoint" test -s stopped/window/latest
holds "and begins no other run" test ! -e stopped/rows

ranks_work "a run of a time" 2 train rows.yaml --minutes 0.01 --set train.schedule.kind=cosine \
  --set train.schedule.warmup=5 --out timed
! grep -q "^stopped" err || ranks_work "which the machine was too slow for" 2 train --resume timed
steps=$(sed -n 's/^  steps: //p' timed/config.yaml)
ranks_work "the same without the clock" 2 train timed/config.yaml --out repeated
holds "has the same weights" cmp "timed/step-$steps/model.safetensors" "repeated/step-$steps/model.safetensors"
both="compare rows.yaml window.yaml --minutes 0.01 --out both"
ranks_work "a comparison of a time" 2 $both
! grep -q "^stopped" err || ranks_work "which the machine was too slow for" 2 $both
holds "prints a row per run" test "$(grep -cE '^(rows|window) ' out)" -eq 2
for run in rows window; do
  steps=$(sed -n 's/^  steps: //p' both/$run/config.yaml)
  holds "ends the schedule of $run" test "$(cat both/$run/latest)" = "step-$steps"
  holds "which the time chose" grep -q '"minutes":0.01' both/$run/metrics.jsonl
done

for n in 1 2 3; do  # 4 streams
  ranks_work "an evaluation by $n" $n eval two/rows --json --split all
  cp out eval-$n
done
holds "has the figures of one process" eval "python3 same.py eval-1 eval-2 && python3 same.py eval-1 eval-3"
holds "printed once" test "$(wc -l <eval-3)" -eq 1
refused 2 "a text that is too short for the streams" 2 "$("$fade" eval two/rows --streams 65536 2>&1)" \
  eval two/rows --streams 65536
mkdir other
sed 's/wall/shelf/' text >other/text
"${mpi[@]}" -np 1 "$fade" eval two/rows : -np 1 "$fade" eval two/rows --data other/text >out 2>err </dev/null
holds "another text on one rank" grep -q "^fade: .*(give all ranks the same" err
"${mpi[@]}" -np 1 "$fade" eval two/rows : -np 1 "$fade" eval two/rows --jsno >out 2>err </dev/null
holds "a wrong option on one rank" grep -q "^fade: rank 1 on .*: fade eval: unexpected argument: --jsno" err

"$fade" bench rows.yaml --live 32 --steps 2 --json >bench-1
ranks_work "a bench" 2 bench rows.yaml --live 32 --steps 2 --json
holds "is of the global batch" python3 -c '
import json
one, two = (json.load(open(path)) for path in ("bench-1", "out"))
assert two["ranks"] == 2 and "ranks" not in one
assert abs(two["tokens_per_s"] * two["ms"] / (1000 * 4 * 8) - 1) < 1e-9, two
assert two["peak_bytes"] < one["peak_bytes"], (one, two)  # half of the streams each
assert two["ms_waited"] >= 0'
holds "and knows what ranks send" sh -c '
  parameters=$("$0" info two/rows | sed -n "s/ parameters in .*//p")
  python3 -c "import json, sys; sent, n = json.load(open(\"out\"))[\"bytes_sent\"], 8 * int(sys.argv[1])
assert n <= sent <= 1.05 * n, (sent, n)" $parameters' "$fade"
ranks_work "a bench for people" 2 bench rows.yaml --live 32 --steps 2
holds "has a line on ranks" grep -qE "^2 ranks: each sends [0-9.]+ MB per step, and waits [0-9.]+ ms for the others$" out
refused 3 "4 streams for 3 ranks" 2 "fade: train.batch: 4 streams cannot be divided evenly between 3 ranks (start 2 of \
them, or set train.batch to 6)" bench rows.yaml --live 32

# Two processes with the same arguments would do the same twice, in the same files.
for call in "info two/rows" "generate two/rows" "spans two/rows --text text --ansi"; do
  refused 2 "fade ${call%% *}" 2 \
    "fade: ${call%% *}: runs as one process, but was started as 2 ranks (start it without mpirun)" $call
done
finish
