#!/bin/bash
# fade compare: each configuration becomes a run of its own, finished runs are left alone, stopped ones resume, and the
# figures come as a table, CSV, Markdown and pictures. Needs $FADE, the program.
set -u
. tests/shell/cli_support.sh

config() {  # NAME MODEL..: NAME.yaml
  cat >"$1.yaml" <<YAML
model: {layers: 1, hidden: 16, ff: 16, heads: 2, block: 8, max_span: 16, $2}
data: {path: text, vocab: 128}
train: {batch: 2, steps: 12, log_every: 2, schedule: {warmup: 0}, checkpoint_every: 4}
device: cpu
threads: 1
YAML
}
config window "kind: transformer_xl"
config heads "kind: adaptive_span, span: {ramp: 4, loss: 1.0e-3}"
config slots "kind: compressive, compress: {rate: 2, slots: 3}"
config rows "kind: expire_span, span: {ramp: 4, pre_div: 1, loss: 1.0e-3}"
bottles 200 >text

works "four kinds" compare window.yaml heads.yaml slots.yaml rows.yaml --out four
holds "prints one row per run" sh -c 'test "$(grep -cE "^(window|heads|slots|rows) " out)" -eq 4'
holds "without the figures published for another text" sh -c '! grep -q published out four/comparison.*'
holds "writes CSV" python3 -c '
import csv
rows = list(csv.DictReader(open("four/comparison.csv")))
assert [r["run"] for r in rows] == ["window", "heads", "slots", "rows"], rows
for r in rows:
    assert int(r["parameters"]) > 1000 and r["steps"] == "12", r
    assert 0 < float(r["bits/byte"]) < 8 and float(r["ms/batch"]) > 0 and float(r["peak MiB"]) > 0, r
assert float(rows[0]["mean rows"]) > 14 and rows[0]["span loss"] == "-" and rows[3]["span loss"] == "0.001", rows'
holds "writes Markdown" sh -c 'test "$(grep -c "^| " four/comparison.md)" -eq 5'
holds "draws the figures" python3 -c '
import xml.dom.minidom as x
svg = x.parse("four/comparison.svg")
assert len([r for r in svg.getElementsByTagName("rect")]) > 12'
holds "without a trade-off to draw" test ! -e four/tradeoff.svg
holds "or a curve of one validation" test ! -e four/curves.svg
holds "runs are ordinary ones" "$fade" eval four/slots

# Interrupted: as if two runs were done, the third had been killed after its checkpoint at step 8, and the last had not begun.
cp -r four again
rm -r again/rows again/slots/step-12 again/comparison.csv
holds "checkpoints of long ago stay" test -d again/slots/step-8
echo step-8 >again/slots/latest
stat -c %Y%i again/window/step-12/model.safetensors >before
works "an interrupted comparison continues" compare window.yaml heads.yaml slots.yaml rows.yaml --out again
holds "where it stopped" grep -q "resumed after step 8" err
holds "leaving finished runs alone" sh -c 'stat -c %Y%i again/window/step-12/model.safetensors | cmp - before'
holds "to the same weights" cmp again/slots/step-12/model.safetensors four/slots/step-12/model.safetensors
holds "and the same bits per byte" sh -c 'cut -d, -f1-5 four/comparison.csv >a; cut -d, -f1-5 again/comparison.csv | cmp - a'

# A run that was killed between its last checkpoint and its validation.
sed -i '$d' again/rows/metrics.jsonl
works "a run without its validation" compare window.yaml rows.yaml --out again
holds "is validated" grep -q valid_bpb again/rows/metrics.jsonl

# What changes no figure may differ; more steps are trained on.
mv text moved
works "the corpus elsewhere, other lines in the log" compare window.yaml rows.yaml --out again --set data.path=moved \
  --set train.log_every=5 --set train.checkpoint_every=2 --set train.keep_checkpoints=1
holds "are the same comparison" sh -c 'cut -d, -f1-5 four/comparison.csv | grep -E "^(run|window|rows)," >a
  cut -d, -f1-5 again/comparison.csv | cmp - a'
mv moved text
works "more steps" compare window.yaml rows.yaml --out again --steps 15
holds "are trained on" sh -c 'test "$(cut -d, -f4 again/comparison.csv | xargs)" = "steps 15 15"'
works "a cosine schedule" compare window.yaml --out cosine --set train.schedule.kind=cosine --steps 4
"$fade" compare window.yaml --out cosine --set train.schedule.kind=cosine --steps 8 >out 2>err
holds "which spreads over all steps: more of them are refused" test $? -eq 2
holds "and named" grep -q "^fade: cosine/window: was trained with other settings: train.steps was 4, is 8 (" err
mv cosine/window/step-4 cosine/window/step-4.tmp
"$fade" compare window.yaml --out cosine --set train.schedule.kind=cosine --steps 4 --set train.optimizer.lr=0.5 >out 2>err
holds "a checkpoint that lacks its name: other settings are refused" test $? -eq 2
mv cosine/window/step-4.tmp cosine/window/step-4
rm cosine/window/latest
works "a run without its latest" compare window.yaml --out cosine --set train.schedule.kind=cosine --steps 4
holds "has nothing left to do" grep -q "nothing left to do" err

# Ctrl-C, in whatever run it comes: the comparison ends, and nothing after that run begins.
"$fade" compare window.yaml rows.yaml --set train.steps=100000000 --set train.log_every=1 --out stopped >out 2>err &
pid=$!
holds "an endless run reaches step 20" comes grep -qs '"step":20,' stopped/window/metrics.jsonl
kill -INT $pid
holds "an interrupted comparison ends with exit code 0" wait $pid
holds "says how to continue" grep -q "0 of 2 runs are finished; the same call of fade compare continues" err
holds "with a checkpoint" test -s stopped/window/latest
holds "and begins no other run" test ! -e stopped/rows

works "a sweep over coefficients" compare rows.yaml window.yaml --span-loss 0.1,0.001,0,0.10000001 --steps 6 --out sweep
holds "trains each" test -d sweep/rows-span-loss-0.1/step-6 -a -d sweep/rows-span-loss-0/step-6
holds "also one that is nearly another" sh -c 'test -d sweep/rows-span-loss-0.10000001/step-6 &&
  grep -q ",0.10000001$" sweep/comparison.csv'
holds "the configuration's own only once" test ! -e sweep/rows-span-loss-0.001
holds "and none without spans" test ! -e sweep/window-span-loss-0.1
holds "draws the trade-off" grep -q "Bits per byte against memory" sweep/tradeoff.svg
sed 's/^threads/seed: 9\nthreads/' window.yaml >nine.yaml
works "several seeds" compare rows.yaml nine.yaml --seeds 1,2 --span-loss 0.1 --steps 6 --set train.eval_every=3 --out seeds
holds "train each with each" sh -c 'test "$(cut -d, -f1 seeds/comparison.csv | xargs)" = \
  "run rows-seed-1 rows-seed-2 rows-span-loss-0.1-seed-1 rows-span-loss-0.1-seed-2 nine-seed-1 nine-seed-2"'
holds "whatever the files say" grep -q "^seed: 2" seeds/nine-seed-2/config.yaml
holds "become one line each, with a mean and a deviation" python3 -c '
import csv
runs = {r["run"]: float(r["bits/byte"]) for r in csv.DictReader(open("seeds/comparison.csv"))}
one, two = runs["rows-seed-1"], runs["rows-seed-2"]
line = next(l for l in open("out") if l.startswith("rows  ")).split()
assert len(open("out").read().splitlines()) == 5 and line[5] == "±", line
assert abs(float(line[4]) - (one + two) / 2) < 1e-4 and abs(float(line[6]) - abs(one - two) / 2) < 1e-4, (line, runs)
assert one != two'
works "one of the seeds alone" compare rows.yaml --seeds 2 --steps 6 --set train.eval_every=3 --out seeds
holds "is there already" grep -q "nothing left to do" err

timed=(compare window.yaml rows.yaml --set train.eval_every=5 --set train.checkpoint_every=0 --out timed)
works "a time" "${timed[@]}" --minutes 0.01
for run in window rows; do
  steps=$(sed -n 's/^  steps: //p' timed/$run/config.yaml)
  holds "ends the schedule of $run" test "$(cat timed/$run/latest)" = "step-$steps"
done
holds "draws bits over time" grep -q "Bits per byte over training time" timed/curves.svg
cp timed/comparison.csv before
works "the same time again" "${timed[@]}" --minutes 0.01
holds "finds nothing to do" test "$(grep -c "nothing left to do" err)" -eq 2
holds "and the same figures" cmp timed/comparison.csv before
"$fade" "${timed[@]}" --minutes 0.02 >out 2>err
holds "another time is refused" test $? -eq 2
holds "and named" grep -q "^fade: timed/window: was trained with other settings: --minutes was 0.01, is 0.02 (" err
"$fade" compare rows.yaml --minutes 0.01 --out again >out 2>err
holds "a time for a run that had none is refused" test $? -eq 2
holds "and named" grep -q "^fade: again/rows: was trained with other settings: --minutes was not given, is 0.01 (" err
# Tables and pictures are of the last call.
works "fewer runs in the same place" compare rows.yaml --steps 6 --out sweep
holds "leave no picture of more" test ! -e sweep/tradeoff.svg
holds "and a table of theirs" sh -c 'test "$(cut -d, -f1 sweep/comparison.csv | xargs)" = "run rows"'
: >err
"$fade" compare rows.yaml --set train.steps=100000000 --out sweep >out 2>err &
pid=$!
holds "a call that trains" comes grep -qs "resumed after step 6" err
holds "removes those of the call before it first" sh -c '! ls sweep/comparison.*'
kill -INT $pid
wait $pid
works "the recall corpus" compare rows.yaml --set data.kind=recall --set data.recall.bytes=20000 --out recall
holds "draws the answers by distance" grep -q "Questions answered, by distance" recall/recall.svg
finish
