#!/bin/bash
# Jobs of several ranks that are stopped, by a kill, a signal, or a fault: they end within seconds, and resume. Needs $FADE, the
# program, with MPI.
set -u
. tests/shell/cli_support.sh
. "$tests/shell/ranks_support.sh"
ranks_run_files
says() { grep -qE -- "$1" log; }
past_first_checkpoint() { comes grep -qsx 'step-[0-9]*' "$run/latest"; }
# The run goes on for ten steps, to the bits of a run that was not stopped.
goes_on() {
  last=$(sed s/step-// $run/latest)
  end=$((last + 10))
  ranks_work "resumes" 2 train c.yaml --out $run --resume "${endless[@]}" --set train.steps=$end
  holds "after its last checkpoint" grep -q "resumed after step $last$" err
  rm -rf straight
  ranks_work "a run that was not stopped" 2 train c.yaml --out straight "${endless[@]}" --set train.steps=$end
  holds "has the same weights and state" same_checkpoint straight/step-$end $run/step-$end
}

for rank in 0 1; do
  in_background killed$rank 2
  past_first_checkpoint
  kill -KILL "$(cat pid.$rank)"
  job_ends "a kill of rank $rank ends the job"
  holds "with an exit code" test $code -ne 0
  goes_on
done

# SIGTERM, as a scheduler sends it to mpirun: that passes it on after odls_base_sigkill_timeout seconds, and kills all ranks
# after as many more. A slow machine may need more of them.
for grace in 5 60; do
  rm -rf terminated
  in_background terminated 2
  past_first_checkpoint
  kill -TERM "$(cat pid_of_mpirun)"
  job_ends "SIGTERM to mpirun ends the job" 180
  says "^interrupted" && break
done
unset grace
holds "after a checkpoint" says "^interrupted after step [0-9]*; checkpoint written; resume with: mpirun -np 2 .* --resume terminated$"
holds "of the last step" says "^interrupted after step $(sed s/step-// terminated/latest);"
goes_on

# SIGUSR1, which it passes on at once.
in_background told 2
past_first_checkpoint
kill -USR1 "$(pgrep -P $job)" # (the job is timeout, which would not pass it on)
job_ends "SIGUSR1 to mpirun ends the job"
holds "with exit code 0" test $code -eq 0
holds "after a checkpoint of the last step" says "^interrupted after step $(sed s/step-// told/latest); checkpoint written"

# The corpus of one rank is cut while it trains.
cp text text_of_1
in_background cut 2
past_first_checkpoint
: >text_of_1
job_ends "a corpus that is cut on rank 1 ends the job"
holds "with exit code 2" test $code -eq 2
holds "and one error" test "$(grep -c '^fade: ' log)" -eq 1
step=$(sed s/step-// cut/latest)
holds "that names the rank, and the checkpoint of the last step" \
  says "^fade: rank 1 on $(hostname): text_of_1: cut short while it was read.*; step $step has a checkpoint; resume with: mpirun -np 2"
rm text_of_1
goes_on

# A full disk, here a limit on the size of files of rank 0: training goes on, and the checkpoint comes once there is room.
in_background full 2
past_first_checkpoint
prlimit --pid "$(cat pid.0)" --fsize=16384:
holds "a full disk is reported" comes says "^warning: step [0-9]*: no checkpoint was written"
before=$(cat full/latest)
limit=$(ulimit -H -f)
[ "$limit" = unlimited ] || limit=$((limit * 1024))
prlimit --pid "$(cat pid.0)" --fsize="$limit":
holds "checkpoints come again" comes sh -c "test '$before' != \$(cat full/latest)"
kill -TERM "$(cat pid.1)" "$(cat pid.0)" # as srun sends it
job_ends "SIGTERM to all ranks ends the job"
holds "with exit code 0" test $code -eq 0
holds "after a checkpoint" says "^interrupted after step $(sed s/step-// full/latest); checkpoint written"
goes_on

# A signal during a validation, which would take minutes.
yes "a long text to validate on" | head -c 20000000 >long
in_background validating 2 --set data.path=long --set 'data.split=[1, 99, 0]' --set train.eval_every=1 --set train.eval_bytes=0 \
  --set train.checkpoint_every=1
past_first_checkpoint # and then it validates
kill -TERM "$(cat pid.1)" "$(cat pid.0)"
job_ends "a job that validates is interrupted"
holds "with exit code 0" test $code -eq 0
holds "after a checkpoint" says "^interrupted after step [12]; checkpoint written"

# One stream, the last, reads a byte whose weights overflow.
sed 's/^325 bottles/~25 bottles/' text >rare
cat >overflow.py <<'PY'
import json, struct
data = open("begin/step-1/model.safetensors", "rb").read()
size = int.from_bytes(data[:8], "little")
header, values = json.loads(data[8:8 + size]), bytearray(data[8 + size:])
del header["__metadata__"]["xxh3_128"]
begin = header["embed.weight"]["data_offsets"][0] + ord("~") * 16 * 8
values[begin:begin + 16 * 8] = struct.pack("<d", 1.7e308) * 16
text = json.dumps(header).encode()
open("overflow.safetensors", "wb").write(struct.pack("<Q", len(text)) + text + values)
PY
nonfinite=(--set data.path=rare --set train.input_noise=0 --set train.steps=40 --set train.eval_every=20)
works "a run to begin with" train c.yaml --out begin "${nonfinite[@]}" --set train.steps=1
holds "with a byte whose weights overflow" python3 overflow.py
"${mpi[@]}" -np 4 "$fade" train c.yaml --out nonfinite --from overflow.safetensors "${nonfinite[@]}" >out 2>log
holds "what is not finite on one rank ends the job" test $? -eq 1
holds "and one error" test "$(grep -c '^fade: ' log)" -eq 1
holds "names the step, the tensor and the rank" says "^fade: step [0-9]*: .* not finite: linear_rows .* .rank 3 on $(hostname)."
skip=(--set train.on_nonfinite=skip)
works "skipped, by one process" train c.yaml --out skip1 --from overflow.safetensors "${nonfinite[@]}" "${skip[@]}"
ranks_work "and by 4 ranks" 4 train c.yaml --out skip4 --from overflow.safetensors "${nonfinite[@]}" "${skip[@]}"
holds "where a step was skipped" grep -q '"skipped":[1-9]' skip4/metrics.jsonl
holds "and all figures are the same" same_figures skip1 skip4 1e-10
finish
