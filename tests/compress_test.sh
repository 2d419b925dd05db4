#!/bin/bash
# fade compress and fade decompress: a file comes back byte for byte, takes what fade eval says, on any number of
# threads, and what is damaged or of another model is refused. Needs $FADE, the program.
set -u
. tests/cli_support.sh

cat >c.yaml <<'YAML'
model: {layers: 2, hidden: 16, ff: 32, heads: 2, block: 8, max_span: 24, span: {ramp: 4, pre_div: 1, init: 0.3}}
data: {path: text, vocab: 128}
train: {batch: 4, steps: 100, optimizer: {lr: 3.0e-3}, schedule: {warmup: 10}}
device: cpu
YAML
for i in $(seq 300); do echo "$i bottles on the wall, and $((i * 7919 % 1000)) in the cellar"; done >text
: >empty
printf short >short
printf 'caf\303\251' >latin
works "a run" train c.yaml --out run
works "another" train c.yaml --out other --set seed=2

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

head -c 400 text.fade >cut.fade
refused "an archive cut short" "cut.fade: damaged: its checksum does not match" decompress run cut.fade none
refused "another file" "text: not an archive of fade compress" decompress run text none
refused "an empty archive" "empty: not an archive" decompress run empty none
refused "a missing archive" "none: cannot be read: No such file" decompress run none none
refused "a directory as archive" "run: cannot be read: Is a directory" decompress run run none
refused "another model" "text.fade: was compressed with another model" decompress other text.fade none
refused "a missing checkpoint" "nil: there is no such run" decompress nil text.fade none
refused "a missing file" "none: cannot be read: No such file" compress run none none
refused "a byte outside the vocabulary" "latin: byte 195 at offset 3 is outside the model's vocabulary of 128" \
  compress run latin none
refused "more streams than bytes" "short: 5 bytes to compress, but 5 streams need 6" compress run short none --streams 5
refused "no streams" "--streams" compress run text none --streams 0
refused "no threads" "--threads: found 0, allowed: a number of at least 1" compress run text none --threads 0
refused "no output" "fade compress: OUT is required" compress run text
holds "a refused call writes nothing" test ! -e none
refused "an output that is a directory" "run: a directory, where a file is to be written" compress run text run
refused "an output below nothing" "nil/x: cannot be written: No such file" compress run text nil/x
cp back before
refused "damage" "cut.fade: damaged" decompress run cut.fade back
holds "leaves an older file as it was" cmp before back

finish
