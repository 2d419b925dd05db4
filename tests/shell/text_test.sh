#!/bin/bash
# fade train TEXT: for any file not named .yaml or .yml the settings are chosen; and where a corpus is looked for. Needs $FADE,
# the program.
set -u
. tests/shell/cli_support.sh

small_run_files
quick="--set model.layers=1 --set model.hidden=16 --set model.ff=16 --set train.steps=2"

# A text: what is chosen for it is said, and written.
cp text my_text.txt
works "a text trains" train my_text.txt $quick
holds "into a run named after it" test -s runs/my_text/step-2/model.safetensors
holds "with the preset" grep -q "max_span: 512" runs/my_text/config.yaml
holds "the choice is said" grep -q "^chosen by its length, the time and this machine's speed: layers 1, width 16, dropout 0, " err
holds "and how often the text is read" grep -q "^2 steps; 2[0-9] % of the text is read" err
holds "and which checkpoint is used" grep -q "^to use it: .* generate runs/my_text" out
holds "streams are of several blocks" grep -q "batch: 8$" runs/my_text/config.yaml
holds "and go from chunk to chunk" grep -q "chunk_bytes: 2048$" runs/my_text/config.yaml
works "a chosen value gives way" train my_text.txt $quick --set train.batch=3 --out three
holds "to --set" grep -q "batch: 3$" three/config.yaml
works "its evaluation" eval runs/my_text
works "the run's configuration" train runs/my_text/config.yaml --out again
holds "repeats it" cmp runs/my_text/step-2/model.safetensors again/step-2/model.safetensors
bottles 3 >other.txt
works "another corpus" train my_text.txt $quick --set data.path=other.txt --out other
holds "is the one whose length counts" grep -q "^2 steps; the text is read" err
works "resuming by the text's name" train my_text.txt --resume --set train.steps=3
holds "goes on with the run's settings" test -s runs/my_text/step-3/model.safetensors
works "resuming a run by its name" train my_text.txt --resume three --set train.steps=3
holds "does, too" grep -q "batch: 3$" three/config.yaml
"$fade" train nowhere.txt --resume three >out 2>err
holds "without the text: exit code 2" test $? -eq 2
holds "names it" grep -q "^fade: nowhere.txt: no such file" err
works "another's weights" train my_text.txt --from again --set train.steps=1 --out tuned
holds "have their sizes" grep -q "hidden: 16" tuned/config.yaml
python3 - again/step-2/model.safetensors bare.safetensors <<'PY'
import json, struct, sys
data = open(sys.argv[1], "rb").read()
end = 8 + struct.unpack("<Q", data[:8])[0]
header = json.loads(data[8:end])
del header["__metadata__"]
text = json.dumps(header).encode()
text += b" " * (-len(text) % 8)
open(sys.argv[2], "wb").write(struct.pack("<Q", len(text)) + text + data[end:])
PY
works "weights without a configuration" train my_text.txt --from bare.safetensors $quick --out bare
"$fade" train my_text.txt --from - $quick --out refused >out 2>err <again/step-2/model.safetensors
holds "weights on standard input: exit code 2" test $? -eq 2
holds "say that a file is needed" grep -q "^fade: --from -: can be read only once" err

# A time: the speed of the machine, which is not known here, decides.
works "a time" train my_text.txt --minutes 0.01 --out timed
holds "is said" grep -qE "^(about )?[0-9]+ steps.* 0.01 minutes" err
limit=$(grep -E "^  max_steps: [1-9]" timed/config.yaml)
holds "has a limit" test "$limit"
works "and the run" train timed/config.yaml --out repeated
works "to its end, if the machine has become slower" train --resume timed
holds "keeps its limit" test "$(grep "^  max_steps:" timed/config.yaml)" = "$limit"
last=$(cat timed/latest)
holds "is repeated without the clock" cmp "timed/$last/model.safetensors" "repeated/$last/model.safetensors"
for minutes in -1 0 abc 1e9; do
  "$fade" train my_text.txt --minutes $minutes --out refused >out 2>err
  holds "--minutes $minutes: exit code 2" test $? -eq 2
  holds "in one line" grep -q -- "^fade train: --minutes: found $minutes, allowed: a number of at least 0.01 and at most 1" err
done
"$fade" train my_text.txt $quick --minutes 1 --out refused >out 2>err
holds "a time and steps: exit code 2" test $? -eq 2
holds "in one line" grep -qx "fade: --minutes 1: takes the place of train.steps (leave it or --set train.steps=2 out)" err

# Texts of other lengths and kinds.
for text in . /dev/zero /dev/null; do
  "$fade" train $text $quick --out refused >out 2>err
  holds "no text: $text: exit code 2" test $? -eq 2
  holds "in one line" sh -c 'grep -q "^fade: $1: " err && test "$(wc -l <err)" -eq 1' - $text
done
for bytes in 0 1 2; do
  head -c $bytes text >tiny
  "$fade" train tiny $quick --out refused >out 2>err
  holds "$bytes bytes: exit code 2" test $? -eq 2
  holds "say so" grep -qE "^fade: tiny: (empty|too short) " err
done
bottles 50000 >long
works "a long text" train long $quick --set train.eval_bytes=100
for bytes in 3 20 300; do
  head -c $bytes text >tiny
  works "$bytes bytes" train tiny $quick --out "tiny$bytes"
done
head -c 3000 /dev/urandom >random.bin
works "any bytes" train random.bin $quick
mkdir -p "a folder"
cp text "a folder/Größe 1.md"
works "a pipe" train /dev/stdin $quick < <(cat text)
holds "into a run of its name" test -d runs/stdin/step-2
works "standard input" train - $quick --out piped < <(cat text)
works "and its evaluation on standard input" eval piped < <(cat text)
"$fade" train --resume piped --set train.steps=3 >out 2>err </dev/null
holds "a run from standard input, resumed without: exit code 2" test $? -eq 2
holds "says what is missing" grep -q "^fade: standard input: empty (add < FILE to the command)" err
works "and goes on with it" train --resume piped --set train.steps=3 < <(cat text)
"$fade" train runs/my_text/step-2/model.safetensors >out 2>err
holds "weights are no text: exit code 2" test $? -eq 2
holds "but to begin with" grep -q "model.safetensors: weights, where a text was expected (--from begins a run with them)" err
"$fade" compare c.yaml --set data.path=- --out pipes >out 2>err < <(cat text)
holds "a comparison of standard input: exit code 2" test $? -eq 2
"$fade" compare c.yaml --set data.path=/dev/stdin --out pipes >out 2>err < <(cat text)
holds "a comparison of a pipe: exit code 2" test $? -eq 2
holds "which each run would read" grep -q "^fade: /dev/stdin: not a regular file, but every run reads it (copy it to one)" err
cp text $'caf\351\001'
works "a name that is not UTF-8" train $'caf\351\001' $quick
holds "is shown, and kept" sh -c 'grep -q "^caf.xe9.x01: expire_span" err && grep -q "binary.*# caf.xe9.x01$" "$1"' - runs/caf*/config.yaml
works "and found again" eval runs/caf*
works "any name" train "a folder/Größe 1.md" $quick
holds "names the run" test -d "runs/Größe 1"
works "bench takes configurations only" bench c.yaml --live 8 --steps 1

# The corpus of a configuration: in the working directory, or beside the configuration.
mkdir -p conf elsewhere
sed 's/path: text/path: beside.txt/' c.yaml >conf/c.yaml
bottles 100 >conf/beside.txt
works "a corpus beside the configuration" train conf/c.yaml --out beside
holds "is written so that it is found again" grep -qF "path: \"$dir/conf/beside.txt\"" beside/config.yaml
works "and evaluated" eval beside
bottles 300 >beside.txt
works "a corpus in the working directory" train conf/c.yaml --out here
holds "comes first" grep -q 'path: "beside.txt"' here/config.yaml
rm beside.txt conf/beside.txt
"$fade" train conf/c.yaml --out none >out 2>err
holds "no corpus: exit code 2" test $? -eq 2
holds "says where it was looked for" grep -q "^fade: beside.txt: no such file in $dir, nor beside the configuration in conf (--set data.path=FILE names" err
cd elsewhere || exit 1
"$fade" eval ../here >out 2>err
holds "eval from another folder: exit code 2" test $? -eq 2
holds "names its own remedy" grep -q "in .*/elsewhere, nor beside the configuration in ../here (give the text with --data FILE)" err
works "the remedy" eval ../here --data ../text
cp ../text ../here/beside.txt
works "a corpus in the run directory" eval ../here
holds "is found" grep -qF "of $dir/here/beside.txt" out
cd ..
finish
