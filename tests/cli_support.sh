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
# refused WHAT TEXT ARGUMENTS..: exit code 2, no output, and a first line on standard error that holds TEXT
refused() {
  what=$1 text=$2
  shift 2
  "$fade" "$@" >out 2>err
  code=$?
  if [ $code -ne 2 ]; then
    failed "$what: exit code $code, expected 2"
  elif [ -s out ]; then
    failed "$what: something on standard output"
  elif ! head -n 1 err | grep -q '^fade' || ! head -n 1 err | grep -qF -- "$text"; then
    failed "$what: the first line should say \"$text\""
  elif [ "$(wc -l <err)" -gt 2 ]; then
    failed "$what: more than a line and a hint"
  else
    echo "ok      $what"
  fi
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
