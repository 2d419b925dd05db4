# What the tests of the command line share: a folder of their own to work in, and what a call must do. Sourced.
fade=$FADE
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir" || exit 1

failures=0
failed() {
  echo "FAILED  $1"
  cat out err
  failures=$((failures + 1))
}
# works WHAT ARGUMENTS..: exit code 0
works() {
  what=$1
  shift
  "$fade" "$@" >out 2>err && echo "ok      $what" || failed "$what: exit code $?"
}
# holds WHAT COMMAND..: the command, which may read the call's out and err, succeeds
holds() {
  what=$1
  shift
  "$@" >/dev/null && echo "ok      $what" || failed "$what"
}
# small_run_files: c.yaml, a model that trains in a moment, and text to train it on
small_run_files() {
  cat >c.yaml <<'YAML'
model: {layers: 1, hidden: 16, ff: 16, heads: 2, block: 8, max_span: 16, span: {ramp: 4, pre_div: 1}}
data: {path: text, vocab: 128}
train: {batch: 2, steps: 4, schedule: {warmup: 0}}
device: cpu
threads: 1
YAML
  for i in $(seq 200); do echo "$i bottles on the wall"; done >text
}
# finish: the verdict, as the last call of a test
finish() {
  [ "$failures" -eq 0 ] || { echo "$failures failed"; exit 1; }
}
