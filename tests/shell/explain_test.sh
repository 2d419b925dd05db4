#!/bin/bash
# `fade explain`: the keys and sums of its JSON, and what it prints. (Its numbers: tests/cli/span_gradient_test.cpp.) Needs
# $FADE, the program.
set -u
. tests/shell/cli_support.sh

small_run_files
sed -i 's/layers: 1/layers: 3/; s/pre_div: 1/pre_div: 1, loss: 1.0e-3/' c.yaml
works "a run" train c.yaml --out run
head -c 60 text >part

works "a row" explain run --text part --row 5 --layer 1
holds "has its sums" grep -q '^d_span   = direct + renormalisation + auxiliary = ' out
holds "and a verdict, last" sh -c 'tail -n 1 out | grep -qE "^(kept|let go): (queries|query) [0-9]"'
holds "on a screen" test "$(wc -l <out)" -le 40
holds "which checkpoint is said" grep -q '^checkpoint: run/step-4' err
works "all of its queries" explain run --text part --row 5 --layer 1 --all
holds "with their heads" grep -q '^    head  1: a ' out

works "JSON" explain run --text part --row 5 --layer 1 --json
holds "has the keys of the specification, and its parts add up" python3 -c '
import json, math
e = json.load(open("out"))
near = lambda a, b: math.isclose(a, b, rel_tol=1e-9, abs_tol=1e-15)
assert e["layer"] == 1 and e["row"] == 5 and e["ramp"] == 4, e
direct = renormalisation = 0
for block in e["blocks"]:
    for query in block["queries"]:
        assert -4 <= query["remaining_span"] <= 0 and query["distance"] == query["position"] - 5
        assert near(query["mask"], query["remaining_span"] / 4 + 1), query
        assert len(query["heads"]) == 2
        for head in query["heads"]:
            assert near(head["direct"], head["weight"] * head["gradient"] / head["denominator"])
            assert near(head["renormalisation"], -head["weight"] * head["mean_gradient"] / head["denominator"])
            assert near(head["faded"], head["weight"] * query["mask"] / head["denominator"])
            direct += head["direct"] / 4
            renormalisation += head["renormalisation"] / 4
assert direct and near(direct, e["attention_direct"]) and near(renormalisation, e["attention_renormalisation"])
assert near(e["attention_direct"] + e["attention_renormalisation"] + e["auxiliary"], e["d_span"])
assert near(e["d_span"], e["d_span_tape"])
assert near(e["span"], 16 / (1 + math.exp(-e["logit"])))
assert near(e["d_logit"], e["d_span"] * e["span"] * (1 - e["span"] / 16)) and e["d_bias"] == e["d_logit"]
assert e["d_weight_norm"] > 0
assert [layer["layer"] for layer in e["layers"]] == [0, 1, 2] and e["layers"][1]["d_span"] == e["d_span"]
'
cp out one
"$fade" explain run --text - --row 5 --layer 1 --json <part >out 2>err
holds "standard input gives the same" sh -c 'sed "s/standard input/part/" out | cmp - one'
works "without a layer" explain run --text part --row 5 --json
holds "the one with the largest gradient is told" python3 -c '
import json
e = json.load(open("out"))
assert abs(e["d_span"]) == max(abs(layer["d_span"]) for layer in e["layers"])'

works "a row near the end" explain run --text part --row 58
holds "no query meets it" grep -q '^no gradient, exactly 0: no query of the text meets the row on its ramp' out
printf 'a\0\001\177b\0c\0d\0e\0f\0g' >bytes
works "bytes that are no text" explain run --text bytes --row 1
holds "are written as numbers" grep -q "^row 1, byte '.x00' of bytes: a\[.x00\]" out
works "JSON of them" explain run --text bytes --row 1 --json
holds "is JSON" python3 -m json.tool out

sed -i 's/vocab: 128/vocab: 256/' c.yaml
works "a run on all bytes" train c.yaml --out wide
printf 'caf\303\251 \377\376 caf\303\251 au lait' >latin
for row in 3 4 6; do works "byte $row of invalid UTF-8" explain wide --text latin --row $row; done
finish
