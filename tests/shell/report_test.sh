#!/bin/bash
# fade report: the numbers and the page of finished runs, of one that trains, of many lines, and of odd names; the page in
# a browser. Needs $FADE, the program.
set -u
. tests/shell/cli_support.sh

small_run_files
logging=(--set train.schedule.kind=constant --set train.log_every=2 --set train.eval_every=10)
works "a run" train c.yaml --out runs/spans "${logging[@]}" --set train.steps=40
works "another kind" train c.yaml --out runs/window "${logging[@]}" --set train.steps=40 --set model.kind=transformer_xl
odd=$'runs/a<b>&"\'</script>\377'
mkdir -p "$(dirname "$odd")" # (the name has a slash)
cp -r runs/spans "$odd"
state() { find runs -type f -exec sha256sum {} + | sort; }
before=$(state)

works "numbers of a run" report runs/spans runs/window --json --bytes 50
mv out numbers
"$fade" generate runs/spans --bytes 50 --seed 1 >text.generated 2>err
python3 - >log 2>&1 <<'PY'
import json
report = json.load(open("numbers"))
assert [run["name"] for run in report["runs"]] == ["spans", "window"]
for run in report["runs"]:
    lines = [json.loads(line) for line in open(run["path"] + "/metrics.jsonl")]
    for kind, key in ("training", "train_bpb"), ("validation", "valid_bpb"):
        own = [line for line in lines if key in line]
        for name, column in run[kind].items():
            assert column == [line.get(name) for line in own], (kind, name)
    best = min((line for line in lines if "valid_bpb" in line), key=lambda line: line["valid_bpb"])
    assert run["best"] == {"step": best["step"], "valid_bpb": best["valid_bpb"]}
    assert run["steps"] == run["steps_planned"] == 40 and run["bytes_per_step"] == 16
spans = report["runs"][0]
assert spans["sample"]["text"] == open("text.generated", encoding="utf-8", errors="replace").read()
assert spans["sample"]["parameters"] > 1000 and spans["sample"]["checkpoint"].startswith("step-")
keys = {key["key"]: key for key in report["configuration"]}
assert keys["model.kind"]["values"] == ["expire_span", "transformer_xl"] and keys["model.kind"]["default"] == "expire_span"
assert keys["train.log_every"]["values"] == ["2", "2"]
PY
holds "are those of its metrics, and the sample is what generate writes" test $? -eq 0

works "a page" report runs/spans runs/window "$odd" --out page.html
works "the same on standard output" report runs/spans runs/window "$odd" --out -
holds "has the same bytes" cmp out page.html
holds "a page names nothing that a browser would load" sh -c '! grep -qE "(src|href)=|@import|url\([^#]" page.html'
holds "an odd name does not end its script" test "$(grep -c '</script>' page.html)" -eq 2
works "a page of one run, by its checkpoint" report runs/spans/best --out one.html --bytes 0
works "of one that was there" report runs/window/step-40 --out one.html
works "or its weights" report runs/window/step-40/model.safetensors --out two.html
holds "which is the same" cmp one.html two.html
works "a page may lie in a run" report runs/window --out runs/window/page.html
works "and be made anew" report runs/window --out runs/window/page.html
rm runs/window/page.html
works "a run with two checkpoints" train c.yaml --out damaged "${logging[@]}" --set train.steps=40 --set train.checkpoint_every=20
echo step-40 >damaged/best
: >damaged/step-40/model.safetensors
"$fade" report damaged --out damaged.html >out 2>err
holds "a damaged checkpoint is named" grep -q "^warning: damaged/step-40/model.safetensors: .*; taking the next checkpoint of the run$" err
holds "no report changes a run" test "$before" = "$(state)"

# A run that trains: what it has logged so far, and a sample once there is a checkpoint.
"$fade" train c.yaml --out live "${logging[@]}" --set train.steps=100000000 --set train.checkpoint_every=0 --set train.eval_every=0 >out 2>log &
pid=$!
comes grep -qs '"step":10,' live/metrics.jsonl
works "a report on a run that trains" report live --out live.html
holds "says that it has no sample" grep -q "^live: no sample: " err
kill -INT $pid
wait $pid
works "once it has ended" report live --out live.html
holds "it has" test ! -s err

# A run of a million steps, of which every hundredth is logged; two of its numbers stand out.
cp -r runs/spans long
python3 - <<'PY'
import json, math
with open("long/metrics.jsonl", "w") as out:
    for i in range(1, 10001):
        bits = 2 + 6 / i + 0.1 * math.sin(i) + (3 if i == 5000 else 0)
        out.write(json.dumps({"step": 100 * i, "train_bpb": bits, "grad_norm": 1 + math.cos(i), "lr": 1e-3, "mean_span": 40.0,
                              "mean_rows": 50.0, "tokens_per_s": 1e5 + i, "peak_bytes": 10**7 + i, "seconds": 0.01 * i}) + "\n")
        if i % 100 == 0:
            out.write(json.dumps({"step": 100 * i, "valid_bpb": 2 + 6 / i, "seconds": 0.01 * i}) + "\n")
    out.write('{"step": 1000100, "train_bpb": 2.0')
PY
works "a page of ten thousand lines" report long runs/spans --out long.html --bytes 0
holds "is a few megabytes at most" test "$(stat -c %s long.html)" -lt 3000000

in_browser report.py page.html one.html live.html long.html
finish
