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
# finish: the verdict, as the last call of a test
finish() {
  [ "$failures" -eq 0 ] || { echo "$failures failed"; exit 1; }
}
