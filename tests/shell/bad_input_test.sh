#!/bin/bash
# The calls of tests/data/bad_input.txt: each is refused with the error named there, and changes no file. Needs $FADE, the
# program.
set -u
table=$PWD/tests/data/bad_input.txt
. tests/shell/cli_support.sh

# refused WHAT TEXT ARGUMENTS..: exit code 2, no output, and a first line on standard error that holds TEXT. A list of names
# in TEXT is the whole list, and not only its beginning.
refused() {
  what=$1 text=$2
  shift 2
  "$fade" "$@" >out 2>err
  code=$?
  if [ $code -ne 2 ]; then
    failed "$what: exit code $code, expected 2"
  elif [ -s out ]; then
    failed "$what: something on standard output"
  elif ! head -n 1 err | grep -q '^fade' || ! head -n 1 err | grep -qF -- "$text"; then
    failed "$what: the first line should say \"$text\""
  elif head -n 1 err | grep -qF -- "$text | "; then
    failed "$what: the list in \"$text\" goes on"
  elif [ "$(wc -l <err)" -gt 2 ]; then
    failed "$what: more than a line and a hint"
  else
    echo "ok      $what"
  fi
}

small_run_files
: >empty
ln -s nowhere dangling
printf 'a short text' >short
printf a >letter
head -c 200001 /dev/zero >large
cp c.yaml conf
printf 'caf\303\251 %.0s' $(seq 200) >latin
head -c 100 text >tokens
bottles 230 >longer
echo 'model: {layers: [}' >broken.yaml
sed 's/model: {/model: {kind: transformer_xl, /' c.yaml >window.yaml
sed 's/batch: 2/batch: 2, eval_bytes: 9/' c.yaml >less.yaml
sed 's/^device/seed: 2\ndevice/' c.yaml >seeded.yaml
printf 'model:\n  hiden: 16\n' >misspelt.yaml
sed 's/hidden: 16/hidden: 32/' c.yaml >wide.yaml

works "a run" train c.yaml --out run
works "another" train c.yaml --out other --set seed=2
works "a comparison" compare c.yaml --out compared
works "an archive" compress run text text.fade
head -c 400 text.fade >cut.fade
cp -r run torn # its state is damaged
truncate -s 300 torn/step-4/state.safetensors
cp -r run lame # its weights are
truncate -s 300 lame/step-4/model.safetensors
cp -r run gone # its checkpoint is gone
rm -r gone/step-4

# Weights, or a state, that hold a value which is no number: files without hashes, in which element 5 is overwritten.
overwritten() { # FILE TENSOR BYTES
  python3 - "$@" <<'PY'
import json, sys
path, name, value = sys.argv[1], sys.argv[2], bytes.fromhex(sys.argv[3])
data = open(path, "rb").read()
length = int.from_bytes(data[:8], "little")
header = json.loads(data[8:8 + length])
header["__metadata__"].pop("xxh3_128")
at = header[name]["data_offsets"][0] + 20 if name else 0
if not name: header["__metadata__"].pop("config")
body = bytearray(data[8 + length:])
body[at:at + len(value)] = value
text = json.dumps(header).encode()
open(path, "wb").write(len(text).to_bytes(8, "little") + text + body)
PY
}
cp -r run nan
overwritten nan/step-4/model.safetensors out.bias 0000c07f
cp run/step-4/model.safetensors bare.safetensors
overwritten bare.safetensors "" ""

# names and contents
everything() {
  find . -mindepth 1 ! -name out ! -name err | sort
  find . -type f ! -name out ! -name err -exec sha256sum {} + | sort
}
before=$(everything)
refused "no command" "a command is missing (commands: train, compare, eval, generate, compress, decompress, grad, bench, trace, explain, spans, report, info)"
calls=0
while IFS= read -r call; do
  case $call in
    "" | "#"*) continue ;;
  esac
  IFS= read -r text
  [ "${text#    }" != "$text" ] || failed "$call: no error, indented by four, follows"
  eval "refused \"\$call\" \"\${text#    }\" $call"
  calls=$((calls + 1))
done < <(sed '1,/^\[call\]$/d' "$table")
holds "all calls were tried" test "$calls" -gt 50
holds "no refused call wrote or changed a file" test "$before" = "$(everything)"
finish
