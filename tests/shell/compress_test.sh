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

finish
