#!/bin/bash
# Runs on disk: two processes compute the same bits, and so does a run that was stopped, by a kill or by Ctrl-C, and
# resumed. Needs $FADE, the program.
set -u
. tests/shell/cli_support.sh

noisy_run_files 16 32 <<'YAML'
  batch: 4
  steps: 200
  optimizer: {lr: 3.0e-3}
  schedule: {kind: cosine, warmup: 20}
  checkpoint_every: 100
  eval_every: 100
YAML

works "a run" train c.yaml --out straight
works "the same run in another process" train c.yaml --out again
holds "has the same weights and state" same_checkpoint straight/step-200 again/step-200

# As if the run had been killed after step 100: that checkpoint is the newest, next to an unfinished one.
cp -r straight killed
rm -r killed/step-200
echo step-100 >killed/latest
mkdir killed/step-200.tmp
echo half >killed/step-200.tmp/model.safetensors
echo half >killed/fade-4711-0.tmp
echo mine >killed/fade-mine.tmp # (others are not the run's)
mkdir killed/step-notes.tmp killed/fade-1-2.tmp
works "a killed run resumes" train c.yaml --out killed --resume
holds "to the same weights and state" same_checkpoint straight/step-200 killed/step-200
holds "without leftovers" test ! -e killed/step-200.tmp -a ! -e killed/fade-4711-0.tmp
holds "and nothing else is removed" test -s killed/fade-mine.tmp -a -d killed/step-notes.tmp -a -d killed/fade-1-2.tmp
holds "each line of the metrics is there once" test "$(grep -c valid_bpb killed/metrics.jsonl)" -eq 2

# Ctrl-C, at any step. The run would never end by itself, however fast the machine.
constant=(--set train.schedule.kind=constant --set train.log_every=1)
"$fade" train c.yaml --out stopped "${constant[@]}" --set train.steps=100000000 >out 2>err &
pid=$!
holds "an endless run reaches step 20" comes grep -qs '"step":20,' stopped/metrics.jsonl
kill -INT $pid
holds "Ctrl-C ends it with exit code 0" wait $pid
last=$(sed s/step-// stopped/latest)
holds "after a checkpoint" test -s "stopped/step-$last/model.safetensors"
end=$((last + 50))
works "it resumes" train c.yaml --out stopped --resume "${constant[@]}" --set train.steps=$end
works "a run that was not stopped" train c.yaml --out unstopped "${constant[@]}" --set train.steps=$end
holds "ends with the same weights and state" same_checkpoint unstopped/step-$end stopped/step-$end

works "a finished run resumes without training" train c.yaml --out straight --resume
holds "and keeps its checkpoint" same_checkpoint straight/step-200 again/step-200
works "a corpus without validation trains" train c.yaml --out all --set 'data.split=[100,0,0]' --set train.steps=5
holds "and leaves its checkpoint" test -s all/step-5/model.safetensors
finish
