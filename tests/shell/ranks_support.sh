# Shared by the tests of several ranks, which source it after cli_support.sh: starting jobs under mpirun, and a small run to
# divide. Ends the test, as skipped, without mpirun or where fade has no MPI.
export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1 # in a container
export ASAN_OPTIONS=detect_leaks=0                               # (the leaks are Open MPI's)
mpi=(timeout -k 10 300 mpirun --oversubscribe --bind-to none) # a job that hangs fails
command -v mpirun >/dev/null || { echo "skipped: there is no mpirun"; exit 77; }
if "${mpi[@]}" -np 2 "$fade" train 2>&1 | grep -q "has no MPI"; then
  echo "skipped: fade was built without MPI"
  exit 77
fi

# ranks_work WHAT N ARGUMENTS..: the call of fade by N ranks ends with exit code 0
ranks_work() {
  what=$1 n=$2
  shift 2
  "${mpi[@]}" -np "$n" "$fade" "$@" >out 2>err && echo "ok      $what" || failed "$what: exit code $?"
}
# same_figures A B [TOLERANCE]: the metrics of two runs are equal but for times and memory, each figure within the relative
# tolerance (0 where there is none)
same_figures() { python3 "$tests/shell/same_figures.py" "$1/metrics.jsonl" "$2/metrics.jsonl" "${3:-0}"; }

# ranks_run_files: c.yaml, and ./text. Spans die at different rates: streams of different ranks have different numbers of rows
# in memory. Randomness: dropout, and noise on spans and on the input. Some gradients are clipped, and some are not.
ranks_run_files() {
  cat >c.yaml <<'YAML'
model:
  {kind: expire_span, layers: 2, hidden: 16, ff: 32, heads: 2, block: 8, max_span: 48, dropout: 0.1,
   span: {ramp: 6, loss: 1.0e-3, pre_div: 1, init: 0.3, noisy: true}}
data: {path: text, vocab: 128}
train:
  {batch: 8, steps: 100, log_every: 1, eval_every: 50, eval_bytes: 400, checkpoint_every: 50, keep_checkpoints: 2,
   optimizer: {lr: 3.0e-3}, schedule: {warmup: 10}, clip: 0.8, input_noise: 0.1}
dtype: f64
device: cpu
threads: 1
YAML
  bottles 400 >text
}
# in_background DIR N ARGUMENTS..: `fade train c.yaml --out DIR ARGUMENTS..` by N ranks, without end, and a checkpoint every 20
# steps. The job is $job; the files pid.R and pid_of_mpirun tell processes. Rank 1 has the text text_of_1, if there is one.
in_background() {
  run=$1 n=$2
  shift 2
  rm -f pid.*
  : >log
  # shellcheck disable=SC2016
  "${mpi[@]}" --mca odls_base_sigkill_timeout "${grace:-1}" -np "$n" bash -c '
    echo $$ >pid.$OMPI_COMM_WORLD_RANK
    echo $PPID >pid_of_mpirun
    [ $OMPI_COMM_WORLD_RANK -ne 1 ] || [ ! -e text_of_1 ] || set -- "$@" --set data.path=text_of_1
    exec "$@"' sh "$fade" train c.yaml --out "$run" "${endless[@]}" "$@" >out 2>log &
  job=$!
}
endless=(--set train.steps=100000000 --set train.log_every=1000000 --set train.eval_every=0 --set train.checkpoint_every=20)
# job_ends WHAT [SECONDS]: within seconds of the fault, 60 at most, all processes of the job are gone. Sets $code, mpirun's
# exit code.
job_ends() {
  SECONDS=0 code=0
  wait $job || code=$?
  holds "$1" test $SECONDS -lt "${2:-60}"
  for file in pid.*; do
    holds "and ${file/pid./rank } is gone" comes sh -c "! grep -qs '^State:.*[RSDT]' /proc/$(cat "$file")/status" # (or Z)
  done
}
