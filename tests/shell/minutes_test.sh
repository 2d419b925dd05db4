#!/bin/bash
# fade train --minutes: the schedule ends with the time, and the run repeats from its config.yaml without the clock, bit for
# bit; it is resumed before and after its number of steps is chosen. Needs $FADE, the program.
set -u
. tests/shell/cli_support.sh

noisy_run_files 16 32 <<'YAML'
  batch: 4
  steps: 3
  schedule: {kind: cosine, warmup: 5}
  checkpoint_every: 0
  eval_every: 0
YAML
steps_of() { sed -n 's/^  steps: //p' "$1/config.yaml"; }

for decay in 1.0 0.4; do
  works "a run of a time, decay $decay" train c.yaml --minutes 0.01 --set train.schedule.decay=$decay --out timed
  works "to its end, where the machine has become slower" train --resume timed  # (it was validated once more)
  steps=$(steps_of timed)
  holds "does the steps that its configuration has" test "$(cat timed/latest)" = "step-$steps"
  works "the same without the clock" train timed/config.yaml --out repeated
  holds "has the same weights" cmp timed/step-$steps/model.safetensors repeated/step-$steps/model.safetensors
  rm -r timed repeated
done

# A run that ends before its number of steps had to be chosen.
works "a run that loses patience" train c.yaml --minutes 100000 --set train.schedule.decay=0.4 --set train.eval_every=1 \
  --set train.patience=1 --out impatient
last=$(cat impatient/latest)
holds "has a number of steps" test "$(steps_of impatient)" -gt "${last#step-}"
works "the same without the clock" train impatient/config.yaml --out repeated
holds "ends with the same weights" cmp impatient/$last/model.safetensors repeated/$last/model.safetensors
works "the run resumed" train --resume repeated
holds "has nothing left to do, whatever its closing validation was" grep -q "nothing left to do" err

# Interrupted while the number of steps is open.
open=(train c.yaml --set train.schedule.kind=constant --set train.log_every=8)
"$fade" "${open[@]}" --minutes 100000 --out open >out 2>err &
pid=$!
holds "a run of a long time reaches step 24" comes grep -qs '"step":24,' open/metrics.jsonl
kill -INT $pid
holds "Ctrl-C ends it with exit code 0" wait $pid
last=$(cat open/latest)
holds "its time up to the last step is kept, between lines of the log, too" \
  grep -q "\"step\":${last#step-},.*\"seconds\":" open/metrics.jsonl
holds "its number of steps is open" test "$(steps_of open)" = 0
holds "it says how to go on" grep -q "resume with: .* train --resume open --minutes 100000$" err
"$fade" train --resume open >out 2>err
holds "without a time it is refused" test $? -eq 2
holds "and says why" grep -qx "fade: train.steps: found 0, allowed with --minutes only (add --minutes T, or --set train.steps=N)" err
cp -r open limited
most=$((${last#step-} + 20))
works "with a long time and a limit" train --resume limited --minutes 100000 --set train.max_steps=$most
holds "it ends there" test "$(steps_of limited)" = $most -a "$(cat limited/latest)" = step-$most
works "a limit without a time" "${open[@]}" --set train.steps=3 --set train.max_steps=2 --out unlimited
holds "is said to have no effect" grep -qx -- "--set train.max_steps=2 has no effect without --minutes: train.steps is 3" err
works "with a time that is over" train --resume open --minutes 0.01
steps=$(steps_of open)
holds "it ends" test "$(cat open/latest)" = "step-$steps" -a "$steps" -gt 24
works "a run of as many steps" "${open[@]}" --set train.steps="$steps" --out straight
holds "has the same weights and state" same_checkpoint "open/step-$steps" "straight/step-$steps"

# Interrupted after the number of steps was chosen, in the first steps; the machine then becomes slower than any.
"$fade" train c.yaml --minutes 100000 --set train.log_every=1 --out chosen >out 2>err &
pid=$!
holds "a run of a long time reaches step 20" comes grep -qs '"step":20,' chosen/metrics.jsonl
kill -INT $pid
wait $pid
steps=$(steps_of chosen)
holds "its number of steps is known" test "$steps" -gt 20
sed -i 's/"seconds":[^,]*/"seconds":120/' chosen/metrics.jsonl
works "twice a time that is over" train --resume chosen --minutes 1
holds "keeps the number" test "$(steps_of chosen)" = "$steps"
holds "and has nothing left to do after its validation" sh -c '! grep -q "^step" err'
sed -i 's/"seconds":[^,]*/"seconds":119.99/' chosen/metrics.jsonl
works "one that is nearly over twice" train --resume chosen --minutes 1
holds "stops early" grep -q "^stopped at step [0-9]* of $steps: the steps have become slower, and 2 times 1m00s are over; resume" err
finish
