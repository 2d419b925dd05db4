#!/bin/bash
# Standard streams that are full, closed, stalled or gone: results that cannot be written are an error, messages that
# cannot be written are not, and a run still ends in a checkpoint. Needs $FADE, the program.
set -u
. tests/shell/cli_support.sh

small_run_files
works "a run" train c.yaml --out run
works "an archive" compress run text text.fade

# Results that cannot be written, by every command.
# lost WHAT COMMAND..: exit code 1, and one line on standard error
lost() {
  what=$1
  shift
  "$@" 2>err
  code=$?
  if [ $code -ne 1 ]; then
    failed "$what: exit code $code, expected 1"
  elif [ "$(wc -l <err)" -ne 1 ] || ! grep -q '^fade: standard output: cannot be written: ' err; then
    failed "$what: expected one line"
  else
    echo "ok      $what"
  fi
}
while IFS= read -r call; do
  lost "fade $call >/dev/full" sh -c "\"\$FADE\" $call >/dev/full"
done <<'CALLS'
eval run
eval run --json
generate run --bytes 3
info run
report run --json
report run --out -
compress run text new.fade
decompress run text.fade back
compress run text -
bench c.yaml --live 16 --steps 1
explain run --text text --row 5
explain run --text text --row 5 --json
--version
--help
train --help
CALLS
lost "fade info >&-" sh -c '"$FADE" info run >&-'
timeout 600 python3 - >log 2>&1 <<'PY'
import os, subprocess
reader, writer = os.pipe()
os.close(reader)
found = subprocess.run([os.environ["FADE"], "generate", "run"], stdout=writer, stderr=subprocess.PIPE)
assert found.returncode == 1 and not found.stderr, found
PY
holds "a program whose reader has ended, as head does, ends in silence, with exit code 1" test $? -eq 0
"$fade" train c.yaml --out lost >/dev/full 2>err
holds "a closing report that cannot be written is an error" test $? -eq 1
holds "after the last checkpoint" grep -qx step-4 lost/latest

# Descriptors 0 to 2 are taken, even if the caller has closed them: no file gets one of them.
"$fade" train c.yaml --out closed 2>&- >out
holds "a run without standard error" test $? -eq 0
holds "writes its messages nowhere" test ! -s closed/lock
"$fade" train c.yaml --out closed3 <&- 2>&- >&-
holds "a run without any stream ends in a checkpoint" grep -qx step-4 closed3/latest
holds "and writes into none of its files" test ! -s closed3/lock

# Messages that cannot be written change nothing.
works "the same run" train c.yaml --out same
for bad in 2\>/dev/full "2>&-"; do
  rm -rf other
  eval "\"\$fade\" train c.yaml --out other >out $bad"
  holds "training goes on with $bad" test $? -eq 0
  holds "to the same bits" same_checkpoint same/step-4 other/step-4
done
"$fade" eval none 2>/dev/full
holds "an error that cannot be written keeps its exit code" test $? -eq 2
timeout 600 python3 - >log 2>&1 <<'PY'
import os, subprocess
reader, writer = os.pipe()  # nobody reads: 64 KiB of lines, and it is full
call = [os.environ["FADE"], "train", "c.yaml", "--out", "stalled.run", "--set", "train.steps=3000",
        "--set", "train.log_every=1", "--set", "train.checkpoint_every=0", "--set", "train.eval_every=0"]
assert subprocess.run(call, stdout=subprocess.DEVNULL, stderr=writer).returncode == 0
PY
holds "a reader that has stalled does not hold up a run" test $? -eq 0

timeout 600 python3 - >log 2>&1 <<'PY'
import os, pty, subprocess
side, terminal = pty.openpty()
found = subprocess.run([os.environ["FADE"], "train", "-"], stdin=terminal, capture_output=True)
assert found.returncode == 2 and found.stderr.startswith(b"fade: standard input: a terminal, where"), found
PY
holds "a terminal is no text to train on" test $? -eq 0

# The terminal goes away; the whole group is interrupted. One process of python3 is the terminal, or starts the group.
cat >terminal.py <<'PY'
import os, pty, signal, subprocess, sys, time

FADE = os.environ["FADE"]
ENDLESS = [FADE, "train", "c.yaml", "--set", "train.steps=100000000", "--set", "train.log_every=1"]

def start(call, ignore=(), **environment):
    """Runs a call on a terminal of its own. Returns its process and the terminal's other side."""
    process, terminal = pty.fork()
    if process == 0:
        for number in ignore:
            signal.signal(number, signal.SIG_IGN)
        os.environ.update(environment)
        os.execv(call[0], call)
    return process, terminal

def read_until(terminal, text):
    seen = b""
    while text not in seen:
        seen += os.read(terminal, 4096)
    return seen

def code_of(process):
    return os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])

def wait_for(condition):
    while not condition():
        time.sleep(0.02)

def steps(run):
    return open(run + "/metrics.jsonl").read().count("train_bpb")

def hang_up():
    process, terminal = start(ENDLESS + ["--out", "hung.up"])
    read_until(terminal, b"step 3/")
    os.close(terminal)
    assert code_of(process) == 0
    assert os.path.exists("hung.up/latest")

def nohup():
    process, terminal = start(ENDLESS + ["--out", "nohup"], ignore=[signal.SIGHUP])
    read_until(terminal, b"step 3/")
    os.close(terminal)
    before = steps("nohup")
    wait_for(lambda: steps("nohup") > before + 5)
    os.kill(process, signal.SIGTERM)
    assert code_of(process) == 0
    assert os.path.exists("nohup/latest")

def tee():
    reader, writer = os.pipe()
    group = dict(start_new_session=True)
    fade = subprocess.Popen(ENDLESS + ["--out", "tee"], stdout=writer, stderr=writer, **group)
    os.close(writer)
    log = subprocess.Popen(["tee", "tee.log"], stdin=reader, stdout=subprocess.DEVNULL)
    os.close(reader)
    wait_for(lambda: os.path.exists("tee.log") and b"step 3/" in open("tee.log", "rb").read())
    log.send_signal(signal.SIGINT)
    log.wait()
    fade.send_signal(signal.SIGINT)
    assert fade.wait() == 0
    assert os.path.exists("tee/latest")

def erases():
    for name, expected in (("xterm", True), ("dumb", False), ("", False)):
        process, terminal = start([FADE, "train", "c.yaml", "--out", "term" + name], TERM=name)
        seen = read_until(terminal, b"checkpoint: ")
        os.close(terminal)
        code_of(process)
        assert (b"\x1b" in seen) == expected, (name, seen)

def binary():
    process, terminal = start([FADE, "compress", "run", "text", "-"])
    seen = read_until(terminal, b")")
    assert code_of(process) == 2 and b"standard output: a terminal, which cannot show binary data" in seen, seen

globals()[sys.argv[1]]()
PY
for case in "hang_up a run whose terminal goes away ends in a checkpoint" \
  "nohup with SIGHUP ignored, it goes on" \
  "tee a run ends in a checkpoint when Ctrl-C also ends the reader of its messages" \
  "binary an archive is not written to a terminal" \
  "erases only a terminal that can erase gets escape sequences"; do
  timeout 600 python3 terminal.py ${case%% *} >log 2>&1
  holds "${case#* }" test $? -eq 0
done
finish
