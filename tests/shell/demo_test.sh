#!/bin/bash
# scripts/demo.sh, ended by Ctrl-C, and builds of a folder that has been moved. Needs $FADE, the program; nothing is built or
# downloaded: other programs stand in for cmake and curl.
set -u
source=$PWD
. tests/shell/cli_support.sh

mkdir -p scripts configs programs build/demo data
cp "$source"/scripts/*.sh scripts/
printf '#!/bin/sh\n' >scripts/install_dependencies.sh
printf '#!/bin/sh\necho "cmake $*" >>calls\n' >programs/cmake
printf '#!/bin/sh\necho downloading\nexec sleep 600\n' >programs/curl
chmod +x scripts/*.sh programs/*
ln -s "$(realpath "$fade")" build/demo/fade
# a step takes milliseconds, so that the demo's 10000 steps are not over before the signal comes
cat >configs/recall.yaml <<'YAML'
model: {layers: 1, hidden: 64, ff: 256, heads: 2, block: 32, max_span: 64, span: {ramp: 4, pre_div: 1}}
data: {kind: recall}
train: {batch: 32, log_every: 1, eval_every: 0}
device: cpu
threads: 1
YAML
export PATH=$dir/programs:$PATH

# interrupt TEXT SIGNAL DEMO..: runs the demo on a terminal and signals the group there once TEXT has come. Prints what the demo
# printed; the exit code is the demo's.
cat >interrupt.py <<'PY'
import os, pty, signal, sys

text, name, call = sys.argv[1].encode(), sys.argv[2], sys.argv[3:]
process, terminal = pty.fork()
if process == 0:
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # ignored in a test that runs in the background
    os.execv(call[0], call)
seen, sent = b"", False
while True:
    try:
        seen += os.read(terminal, 4096)
    except OSError:  # the terminal's last user has ended
        break
    if text in seen and not sent:
        sent = True
        if name == "INT":
            os.write(terminal, b"\x03")  # Ctrl-C
        else:
            os.killpg(process, signal.SIGTERM)
sys.stdout.buffer.write(seen)
code = os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])
sys.exit(code if code >= 0 else 128 - code)
PY
interrupt() { timeout 600 python3 interrupt.py "$@" >out 2>err; }

for signal in INT:130 TERM:143; do
  rm -rf runs
  interrupt "step 2/" ${signal%:*} scripts/demo.sh recall
  holds "SIG${signal%:*} while it trains ends the demo with exit code ${signal#*:}" test $? -eq ${signal#*:}
  holds "after a checkpoint" grep -q "interrupted after step .*; checkpoint written" out
  holds "and without the next step" sh -c '! grep -E "3\. A question|Done" out'
  run=$(echo runs/demo-recall-*)
  holds "the run can be resumed" test -s "$run/$(cat "$run/latest")/state.safetensors"
done

interrupt downloading INT scripts/demo.sh
holds "Ctrl-C during the download ends the demo" test $? -eq 130
holds "which does not turn to the built-in corpus" sh -c '! grep -E "2\. Train|no enwik8" out'

# Builds of a folder that has been moved.
holds "one script calls cmake --preset" test "$(grep -l 'cmake --preset' scripts/*.sh)" = scripts/configure.sh
# refused BUILD COMMAND..: which would build there
refused() {
  build=$1
  shift
  mkdir -p "$build"
  echo "CMAKE_HOME_DIRECTORY:INTERNAL=/old/place" >"$build/CMakeCache.txt"
  rm -f calls
  "$@" >out 2>err
  holds "$build/ of another place: refused" test $? -eq 1
  holds "in one line" test "$(cat err)" = "$PWD/$build was made in /old/place, which its files name: remove it (rm -r $PWD/$build)"
  holds "before cmake is called" test ! -e calls
}
refused build scripts/soak.sh
refused build/asan scripts/fuzz.sh 1 config
refused build/tsan scripts/sanitize.sh
refused build/demo scripts/demo.sh recall
rm build/CMakeCache.txt build/demo/CMakeCache.txt
ln -s . same
for made in "" "$dir" "$dir/same"; do
  [ -z "$made" ] || echo "CMAKE_HOME_DIRECTORY:INTERNAL=$made" >build/CMakeCache.txt
  scripts/configure.sh cpu -DX=Y >out 2>err
  holds "a build of this place${made:+, called $made}, is configured" grep -qx 'cmake --preset cpu -DX=Y' calls
  rm -f calls build/CMakeCache.txt
done
finish
