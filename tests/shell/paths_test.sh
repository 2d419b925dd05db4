#!/bin/bash
# Paths that cannot be used: the error says why (permissions, a loop of symbolic links, a link to nothing), not that there is
# no such file, and nothing is written. Needs $FADE, the program.
set -u
. tests/shell/cli_support.sh
chmod 777 "$dir"

small_run_files
works "a run" train c.yaml --out run
works "an archive" compress run text text.fade
head -c 100 text >tokens
cp c.yaml secret.yaml
cp text secret
cp -r run hidden
cp -r run shut
cp -r run partly
mkdir closed
ln -s loop loop
ln -s away dangling
weights=run/step-4/model.safetensors
grad="grad c.yaml --blocks 2"
chmod 000 secret.yaml secret hidden shut/step-4 partly/config.yaml
chmod 555 closed

# A call, and what its error must say.
calls=0
while IFS='|' read -r call text; do
  eval "\"\${as_user[@]}\" \"\$fade\" $call >out 2>err"
  code=$?
  if [ $code -ne 2 ]; then
    failed "$call: exit code $code, expected 2"
  elif [ "$(wc -l <err)" -ne 1 ] || ! grep -qF -- "$text" err; then
    failed "$call: one line should say \"$text\""
  else
    echo "ok      $call"
  fi
  calls=$((calls + 1))
done <<CALLS
train secret.yaml|secret.yaml: permission denied
compare secret.yaml|secret.yaml: permission denied
train c.yaml --out closed/new|--out closed/new: cannot be created: Permission denied
train c.yaml --out new --set data.path=secret|secret: permission denied
train c.yaml --out hidden|hidden/lock: permission denied
train c.yaml --out hidden --resume|hidden/config.yaml: permission denied
eval hidden|permission denied
eval shut|shut/step-4/model.safetensors: permission denied
info shut|shut/step-4/model.safetensors: permission denied
eval run --data secret|secret: permission denied
generate run --prompt-file secret|secret: permission denied
compress run secret new|secret: permission denied
compress run text closed/new|closed/new: the directory closed cannot be written to
compress run text secret|secret: permission denied
decompress run secret new|secret: permission denied
$grad --weights secret --tokens tokens --out new|secret: permission denied
$grad --weights $weights --tokens secret --out new|secret: permission denied
$grad --weights $weights --tokens tokens --out closed/new|closed/new: the directory closed cannot be written to
train loop|loop: too many levels of symbolic links
train c.yaml --out new --set data.path=loop|loop: too many levels of symbolic links
train c.yaml --out loop|loop: too many levels of symbolic links
train c.yaml --out loop --resume|loop/config.yaml: too many levels of symbolic links
eval loop|loop: too many levels of symbolic links
eval run --data loop|loop: too many levels of symbolic links
compress run loop new|loop: too many levels of symbolic links
compress run text loop|loop: too many levels of symbolic links
$grad --weights loop --tokens tokens --out new|loop: too many levels of symbolic links
train dangling|dangling: a symbolic link to away, which does not exist
eval dangling|dangling: a symbolic link to away, which does not exist
eval run --data dangling|dangling: a symbolic link to away, which does not exist
compress run dangling new|dangling: a symbolic link to away, which does not exist
CALLS
holds "all calls were tried" test $calls -gt 30
holds "none wrote anything" test ! -e new -a ! -e away -a ! -e runs
finish
