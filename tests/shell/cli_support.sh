# Shared by the shell tests, which source it from the repository's root: a temporary directory to work in, checks, and
# small runs. A call writes its output to ./out and ./err, a run in the background its messages to ./log.
case ${FADE:-} in "" | /*) ;; *) FADE=$PWD/$FADE ;; esac
fade=${FADE:-}
tests=$PWD/tests
dir=$(mktemp -d 2>&1) || { echo "FAILED  $dir (set TMPDIR to a directory that exists)"; exit 1; }
trap 'kill $(jobs -p) 2>/dev/null; chmod -R u+rwX "$dir"; rm -rf "$dir"' EXIT
cd "$dir" || exit 1
[ "$(df -Pk . | awk 'NR == 2 { print $4 }')" -ge 102400 ] ||
  { echo "FAILED  less than 100 MB are free in ${TMPDIR:-/tmp} (set TMPDIR to a directory with more)"; exit 1; }

# Prefix of a command that must not have the rights of root, for whom no file is read-only.
as_user=()
[ "$(id -u)" -ne 0 ] || as_user=(setpriv --reuid 65534 --regid 65534 --clear-groups)

failures=0
failed() {
  echo "FAILED  $1"
  for file in out err log; do [ ! -f $file ] || tail -n 50 $file | sed "s/^/  $file: /"; done
  failures=$((failures + 1))
}
# fatal WHAT: ends the test
fatal() {
  failed "$1"
  exit 1
}
# works WHAT ARGUMENTS..: the call of fade ends with exit code 0
works() {
  what=$1
  shift
  "$fade" "$@" >out 2>err && echo "ok      $what" || failed "$what: exit code $?"
}
# holds WHAT COMMAND..: the command succeeds; it may read out and err of the call before
holds() {
  what=$1
  shift
  "$@" >/dev/null && echo "ok      $what" || failed "$what"
}
# comes COMMAND..: waits until the command succeeds, ten minutes at most: that is for a slow machine, not for a test. Empty a file
# that is waited for before the command that writes it is started in the background: that may take a while to begin.
comes() {
  for _ in $(seq 12000); do
    "$@" && return
    sleep 0.05
  done
  false
}
# in_browser SCRIPT PAGE..: the checks of tests/browser/SCRIPT pass; the distribution's Python has its packages
in_browser() {
  script=$1
  shift
  python=/usr/bin/python3
  [ -x $python ] || python=python3
  code=0
  $python "$tests/browser/$script" "$@" || code=$?
  case $code in 0) ;; 77) skipped=1 ;; *) failures=$((failures + 1)) ;; esac
}
# finish: the verdict, as the last line of a test
finish() {
  [ "$failures" -eq 0 ] || { echo "$failures failed"; exit 1; }
  [ -z "${skipped:-}" ] || exit 77
}

# bottles N: a text of N lines
bottles() {
  for ((i = 1; i <= $1; ++i)); do echo "$i bottles on the wall"; done
}
# small_run_files: c.yaml, a model that trains in a moment, and ./text to train it on
small_run_files() {
  cat >c.yaml <<'YAML'
model: {layers: 1, hidden: 16, ff: 16, heads: 2, block: 8, max_span: 16, span: {ramp: 4, pre_div: 1}}
data: {path: text, vocab: 128}
train: {batch: 2, steps: 4, schedule: {warmup: 0}}
device: cpu
threads: 1
YAML
  bottles 200 >text
}
# noisy_run_files HIDDEN FF: the same of a model with dropout and span noise, so that a checkpoint must carry random
# states. Standard input is the train section.
noisy_run_files() {
  cat >c.yaml <<YAML
model:
  {layers: 2, hidden: $1, ff: $2, heads: 2, block: 8, max_span: 24, dropout: 0.1,
   span: {ramp: 4, loss: 1.0e-3, pre_div: 1, init: 0.3, noisy: true}}
data: {path: text, vocab: 128}
device: cpu
train:
YAML
  cat >>c.yaml
  bottles 200 >text
}
# same_checkpoint A B: their weights and state have the same bits
same_checkpoint() {
  cmp "$1/model.safetensors" "$2/model.safetensors" && cmp "$1/state.safetensors" "$2/state.safetensors"
}
