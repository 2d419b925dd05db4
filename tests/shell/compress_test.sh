#!/bin/bash
# fade compress and fade decompress: a file comes back byte for byte, takes what fade eval says, and is the
# same on any number of threads. Needs $FADE, the program.
set -u
. tests/shell/cli_support.sh

cat >c.yaml <<'YAML'
model: {layers: 2, hidden: 16, ff: 32, heads: 2, block: 8, max_span: 24, span: {ramp: 4, pre_div: 1, init: 0.3}}
data: {path: text, vocab: 128}
train: {batch: 4, steps: 100, optimizer: {lr: 3.0e-3}, schedule: {warmup: 10}}
device: cpu
YAML
for i in $(seq 300); do echo "$i bottles on the wall, and $((i * 7919 % 1000)) in the cellar"; done >text
: >empty
works "a run" train c.yaml --out run

works "compress" compress run text text.fade --streams 3 --threads 2
holds "compares with other compressors" sh -c 'grep -q "gzip -9" out && grep -q "xz -9" out && grep -q "zstd -19" out'
cp text.fade text.fade3
works "decompress" decompress run text.fade back --threads 3
holds "gives the file back" cmp text back
works "compress on one thread" compress run text text1.fade --streams 3 --threads 1
holds "gives the same archive" cmp text.fade text1.fade
works "compress --json" compress run text text.fade --json
cp out compress.json
works "eval of the same streams" eval run --data text --split all --streams 1 --json
holds "says what the archive takes, within 0.1 % + 64 bytes" python3 -c '
import json, os
said, packed = json.load(open("out")), json.load(open("compress.json"))
assert packed["streams"] == said["streams"] and packed["bytes"] == os.path.getsize("text"), packed
assert packed["archive_bytes"] == os.path.getsize("text.fade"), packed
bytes = said["bits_per_byte"] * said["bytes"] / 8
assert bytes <= packed["archive_bytes"] <= bytes * 1.001 + 64, (bytes, packed)'
works "an empty file" compress run empty empty.fade
works "comes back" decompress run empty.fade empty.back
holds "empty" cmp empty empty.back

# Pipes and standard streams: the same archive, alone.
cat text | "$fade" compress run - piped.fade --streams 3 >out
holds "standard input gives the same archive" cmp text.fade3 piped.fade
cat text | "$fade" compress run /dev/stdin piped2.fade --streams 3 >out
holds "and so does /dev/stdin" cmp text.fade3 piped2.fade
"$fade" compress run text - --streams 3 >to.stdout 2>err
holds "standard output gets the archive alone" cmp text.fade3 to.stdout
holds "and standard error the sizes" grep -q "^standard output: [0-9]* bytes in $(stat -c %s text):" err
ln -s /proc/self/fd/1 stdout # as /dev/stdout is, which a fault would replace
"$fade" compress run text stdout --streams 3 2>err | cat >to.stdout
holds "also by another name" cmp text.fade3 to.stdout
"$fade" compress run - - <text 2>err | "$fade" decompress run - - 2>err | cmp - text
holds "a pipe through both gives the text back" test $? -eq 0

# Devices, FIFOs and symbolic links stay what they are; files of others stay.
mkfifo pipe
cat pipe >from.pipe &
works "a FIFO as output" compress run text pipe --streams 3
wait $!
holds "gets the archive" cmp text.fade3 from.pipe
holds "and stays" test -p pipe
if mknod null c 1 3 2>/dev/null && : >null; then
  works "a device as output" compress run text null
  holds "stays" test -c null
fi
echo "somebody's" >new.fade.tmp
mkdir folder
ln -s folder/target link
works "a symbolic link as output" compress run text link --streams 3
holds "is followed" sh -c 'test -L link && cmp text.fade3 folder/target'
works "a file that is not there" compress run text new.fade
holds "no other file is written" grep -q "somebody's" new.fade.tmp
holds "and none is left behind" sh -c '! ls | grep "^fade-"'
cp text original
for out in text ./text; do
  "$fade" compress run text $out >out 2>err
  holds "an output that is the input is refused ($out)" test $? -eq 2
done
"$fade" compress run - text <text >out 2>err
holds "and if it is standard input, too" test $? -eq 2
holds "nothing happens to it" cmp text original
model=$(ls -d "$PWD"/run/step-*)/model.safetensors
cp "$model" before
"$fade" compress run text "$model" >out 2>err
holds "a checkpoint does not become its own archive" sh -c "test $? -eq 2 && cmp '$model' before"

# What the model does not predict is stored.
python3 -c 'import random, sys; sys.stdout.buffer.write(random.Random(1).randbytes(5000))' >random
sed 's/, vocab: 128//' c.yaml >bytes.yaml
works "a run for all bytes" train bytes.yaml --out bytes
works "random data" compress bytes random random.fade
holds "are stored, with 9 bytes more" test "$(stat -c %s random.fade)" -eq 5009
holds "as the command says" grep -q "stored" out
works "decompress" decompress bytes random.fade random.back
holds "gives them back" cmp random random.back

# A file that does not fit into memory, here a limit on addresses (under which a sanitizer's program does not start).
if truncate -s 4G huge && (ulimit -v 3000000 && "$fade" --help) >out 2>&1; then
  (ulimit -v 3000000 && "$fade" compress run huge huge.fade) >out 2>err
  holds "a file that does not fit into memory fails" test $? -eq 1
  holds "in one line" sh -c 'test "$(wc -l <err)" -eq 1 && grep -q "huge: its 4294967296 bytes do not fit" err'
fi
finish
