#!/bin/bash
# `fade spans`: numbers and colours for texts of all kinds, and models of all kinds. What is refused:
# bad_input_test.sh. Needs $FADE, the program.
set -u
. tests/shell/cli_support.sh

small_run_files
works "a run" train c.yaml --out run --set data.vocab=256 --set model.layers=2 --set train.steps=80 --set train.optimizer.lr=0.02
head -c 100 text >some

works "the numbers" spans run --text some --json numbers.json
holds "say which checkpoint they are of" grep -q "^checkpoint: run/step-" err
holds "have the promised keys and sizes" python3 -c '
import base64, json
found = json.load(open("numbers.json"))
text = open("some", "rb").read()
assert base64.b64decode(found["text"]) == text
assert (found["layers"], found["max_span"], found["ramp"], found["spans"]) == (2, 16, 4, "rows")
for key in "span", "rows":
    assert [len(layer) for layer in found[key]] == [100, 100]
assert all(0 < span < 16 for layer in found["span"] for span in layer)
for losses in found["loss_bits"], *(cut["loss_bits"] for cut in found["memory_cut"]):
    assert len(losses) == 100 and losses[0] is None and all(bits > 0 for bits in losses[1:])
# The rows of a query: those whose span, at most a ramp ago, has not ended.
for spans, seen in zip(found["span"], found["rows"]):
    for i, rows in enumerate(seen):
        assert rows == sum(span > i - j - 4 for j, span in enumerate(spans[:i])), i
'
cp numbers.json first.json
works "on standard output" spans run --text some --json -
holds "the same" cmp first.json out
"$fade" spans run --text - --json out.json <some >out 2>err
holds "of a text on standard input" cmp first.json out.json
works "of a longer text, cut" spans run --text text --bytes 100 --json out.json
holds "the same" cmp first.json out.json
works "eval of the same bytes" eval run --data some --streams 1 --json
holds "has the same mean loss" python3 -c '
import json
bits = json.load(open("first.json"))["loss_bits"][1:]
assert abs(sum(bits) / len(bits) - json.load(open("out"))["bits_per_byte"]) < 1e-6'
works "chosen cuts" spans run --text some --json numbers.json --cut 5,2,5
holds "once each, in order" python3 -c '
import json
assert [cut["rows"] for cut in json.load(open("numbers.json"))["memory_cut"]] == [2, 5]'
works "no cuts" spans run --text some --json numbers.json --cut 0
holds "no losses of them" grep -q '"memory_cut":\[\]' numbers.json

works "colours" spans run --text some --ansi --cut 2
holds "with the text, the legend and the figures" sh -c 'grep -q "^mean over layers:" out && grep -q "^mean span: layer 0" out && grep -q "^bits per byte: .*; with memory cut to 2: " out'
holds "in escape sequences" grep -q "$(printf '\033\[38;5;')" out
works "of a layer" spans run --text some --ansi --layer 0
holds "by its name" grep -q "^layer 0:" out

# Pages.
head -c 3000 text >longer
works "a page" spans run --text longer --out page.html --cut 2,8
holds "of one file, within its limit" sh -c 'head -n 1 page.html | grep -q "<!doctype html>" && test "$(wc -c <page.html)" -le 4000000'
works "on standard output" spans run --text longer --out - --cut 2,8
holds "the same" cmp page.html out
works "its numbers" spans run --text longer --json numbers.json --cut 2,8
in_browser spans.py page.html numbers.json

for output in --out --json; do
  "$fade" spans run --text some $output /dev/full >out 2>err
  holds "a full disk: exit code 1, and one line" sh -c "test $? -eq 1 && test \$(wc -l <err) -eq 1 && grep -q /dev/full err"
done

# Texts that have little or strange in them.
printf a >letter
printf 'a\0b\377\303\251\342\200\256\033[31m</script><!--' >strange
for text in letter strange; do
  works "the numbers of $text" spans run --text $text --json numbers.json
  holds "for each byte" python3 -c '
import base64, json, sys
found, text = json.load(open("numbers.json")), open(sys.argv[1], "rb").read()
assert base64.b64decode(found["text"]) == text
assert len(found["span"][0]) == len(found["rows"][0]) == len(found["loss_bits"]) == len(text)' $text
  works "the colours of $text" spans run --text $text --ansi
  works "the page of $text" spans run --text $text --out $text.html
done
in_browser strange_spans.py letter.html strange.html
works "the colours of strange" spans run --text strange --ansi
holds "no escape sequence of the text's own" sh -c '! grep -q "$(printf "\033")\[31m" out && grep -qF "\\x1b" out'

# The other kinds.
for kind in transformer_xl adaptive_span compressive; do
  works "$kind" train c.yaml --out $kind --set model.kind=$kind --set train.steps=1
  works "its numbers" spans $kind --text some --json numbers.json
  holds "say whose its spans are" python3 -c '
import json, sys
found, kind = json.load(open("numbers.json")), sys.argv[1]
assert found["kind"] == kind
assert found["spans"] == ("heads" if kind == "adaptive_span" else "none")
assert ("head_span" in found) == (kind == "adaptive_span")
assert len(set(found["span"][0])) == 1 and len(found["rows"][0]) == 100' $kind
  works "its page" spans $kind --text longer --out page.html --cut 2,8
  works "and its numbers" spans $kind --text longer --json numbers.json --cut 2,8
  in_browser spans.py page.html numbers.json
  works "its colours" spans $kind --text some --ansi
  holds "say so" grep -q "^$kind: " out
done

# A run that is still in training: the trainer is stopped with its first checkpoint there.
"$fade" train c.yaml --out going --set train.steps=1000000 --set train.checkpoint_every=10 2>log &
trainer=$!
comes test -e going/latest
works "a run in training" spans going --text some --json numbers.json
kill -INT $trainer
wait $trainer

finish
