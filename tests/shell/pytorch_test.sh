#!/bin/bash
# scripts/to_pytorch.py: a run of fade in PyTorch has the same bits per byte and writes the same text, and weights come back
# as a checkpoint; logits, losses and gradients of every kind are fade's (tests/pytorch/compare.py). What is wrong ends in one
# line with the remedy. The program in PyTorch of docs/from_pytorch.md prints what the page says. Needs $FADE, the program, and $FADE_LOGITS (tests/train/logits.cpp).
set -u
. tests/shell/cli_support.sh

script=$tests/../scripts/to_pytorch.py
# to_torch WHAT ARGUMENTS..: the call of the script ends with exit code 0
to_torch() {
  what=$1
  shift
  "$python" "$script" "$@" >out 2>err && echo "ok      $what" || failed "$what: exit code $?"
}
# refused WHAT TEXT ARGUMENTS..: the call ends with exit code 2 and one line that holds the text
refused() {
  what=$1 text=$2
  shift 2
  "$python" "$script" "$@" >out 2>err
  code=$?
  [ $code -eq 2 ] && [ "$(wc -l <err)" -eq 1 ] && grep -qF -- "$text" err && [ ! -s out ] && echo "ok      $what" ||
    failed "$what: exit code $code, expected 2 and: $text"
}

python3 -I -S "$script" run >out 2>err
holds "without PyTorch, it says how to install it" test $? -eq 2 -a "$(wc -l <err)" -eq 1
holds "by name" grep -q '^to_pytorch: needs PyTorch.*pip install torch' err

for python in python3 "$tests/../build/torch/bin/python" ""; do
  [ -n "$python" ] && "$python" -c 'import torch, yaml' 2>/dev/null && break
done
if [ -z "$python" ]; then
  echo "skipped: PyTorch or PyYAML is not installed (python3 -m venv build/torch && build/torch/bin/pip install torch pyyaml)"
  skipped=1
  finish
fi

# The two programs of docs/from_pytorch.md print the same (of fade's, tests/shell/check_output.sh checks it).
block() { # MARK: the fenced block that directly follows this line of the page
  awk -v mark="<!-- $1 -->" 'inside == 2 && /^```/ { exit } inside == 2; inside == 1 { inside = 2 } $0 == mark { inside = 1 }' page
}
cp "$tests/../docs/from_pytorch.md" page
block "run: tests/shell/pytorch_test.sh" >program.py
block "output: examples/from_pytorch.cpp" >printed
"$python" program.py >out 2>err
holds "the program in PyTorch prints what the page says" test -s out -a "$(cat out)" = "$(cat printed)"

small_run_files
works "a run" train c.yaml --out run --set train.steps=60 --set train.optimizer.lr=0.01
head -c 700 text >part
# same_bits RUN CHECKPOINT: PyTorch reads the run as fade reads the checkpoint
same_bits() {
  "$fade" eval "$2" --data part --streams 1 --json >expected 2>err || return
  "$python" "$script" "$1" --check part >out 2>err || return
  python3 -c 'import json
found, expected = open("out").read(), json.load(open("expected"))
assert abs(float(found.split()[0]) - expected["bits_per_byte"]) < 1e-5, (found, expected)
assert "(%d bytes predicted" % expected["bytes"] in found, found' 2>err
}
holds "the bits per byte of a run are fade's" same_bits run run
for checkpoint in run/best run/latest run/step-60 run/step-60/model.safetensors; do
  holds "of $checkpoint" same_bits $checkpoint $checkpoint
done
# same_text OPTIONS..: both write the same bytes
same_text() {
  "$fade" generate run --temperature 0 --bytes 60 "$@" >expected 2>err || return
  "$python" "$script" run --temperature 0 --bytes 60 "$@" >out 2>err && cmp out expected
}
holds "the likeliest text is fade's" same_text --prompt "12 bottles on the w"
holds "without a prompt, too" same_text
holds "after a prompt from a file" same_text --prompt-file part
to_torch "a sampled text" run --bytes 40 --top-k 3
cp out first
to_torch "the same again" run --bytes 40 --top-k 3
holds "repeats" cmp out first
holds "and is as long as was asked for" test "$(wc -c <out)" -eq 40

# And back.
same_eval() { # CHECKPOINT CHECKPOINT: of the same weights, fade prints the same
  "$fade" eval "$1" --data part --json >out 2>err && "$fade" eval "$2" --data part --json >expected 2>err && cmp out expected
}
to_torch "a state dict" run --save weights.pt
to_torch "as a checkpoint of fade" run --weights weights.pt --to-fade back
holds "evaluates to the same" same_eval run back
works "trains on" train c.yaml --from back --out more --set train.steps=2
cat >tune.py <<'PY'
import sys
sys.path.insert(0, sys.argv[1])
import to_pytorch, torch
import torch.nn.functional as F
torch.set_num_threads(1)
model = to_pytorch.load("run").train()
optimizer, memory = torch.optim.Adam(model.parameters(), lr=0.003), None
tokens = torch.tensor(list(open("text", "rb").read()))[: 2 * 201].view(2, 201)
for at in range(0, 200, 8):
    logits, memory, aux = model(tokens[:, at : at + 8], memory)
    loss = F.cross_entropy(logits.flatten(0, 1), tokens[:, at + 1 : at + 9].flatten()) + aux
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    model.constrain()
to_pytorch.save(model, "tuned")
PY
holds "a model trained on in PyTorch" "$python" tune.py "$tests/../scripts"
holds "is another" test "$(cksum <tuned/model.safetensors)" != "$(cksum <back/model.safetensors)"
holds "and in fade what it is in PyTorch" same_bits tuned tuned
works "generates" generate tuned --bytes 20

# What is wrong.
refused "a run that is not there" "none: there is no such run" none
refused "a folder without a checkpoint" "neither a checkpoint (no model.safetensors) nor a run" .
head -c 3000 run/step-60/model.safetensors >cut.safetensors
refused "a damaged file" "cut.safetensors: not a safetensors file of weights, or damaged" cut.safetensors
refused "a text is no checkpoint" "text: not a safetensors file" text
"$python" - <<'PY'
import sys, torch
w = torch.load("weights.pt")
torch.save({**w, "out.bias": w["out.bias"][:3]}, "shape.pt")
torch.save({k: v for k, v in w.items() if k != "pos.weight"}, "missing.pt")
torch.save({**w, "more.weight": w["out.bias"]}, "more.pt")
torch.save({"model": w}, "wrapped.pt")
PY
refused "weights of another shape" "shape.pt: out.bias has shape [3], the model needs [128]" run --weights shape.pt --to-fade x
refused "a missing tensor" "missing.pt: tensor pos.weight is missing" run --weights missing.pt --to-fade x
refused "a tensor too many" "more.pt: tensor more.weight is not a parameter of this model" run --weights more.pt --to-fade x
refused "a dictionary of dictionaries" "wrapped.pt: not a state dict" run --weights wrapped.pt --to-fade x
refused "a file of another kind" "text: not a state dict written by torch.save" run --weights text --to-fade x
holds "nothing was written" test ! -e x
refused "a checkpoint that would be replaced" "back/model.safetensors: already there (give another folder)" run --to-fade back
refused "a folder that is not there, to save in" "none/w.pt: No such file or directory" run --save none/w.pt
printf 'model: {heads: 0}\n' >heads.yaml
refused "a configuration without heads" "heads.yaml: heads: found 0, needs at least 1" run --config heads.yaml
printf 'model: {dropout: -1}\n' >dropout.yaml
refused "a dropout below 0" "dropout.yaml: model.dropout: found -1.0, needs at least 0" run --config dropout.yaml
printf 'model: {layers: .inf}\n' >layers.yaml
refused "endless layers" "layers.yaml: not a configuration of fade: cannot convert float infinity" run --config layers.yaml
printf 'model: {heads: 1, hidden: 99999999999999999999}\n' >hidden.yaml
refused "a model that no memory holds" "hidden.yaml: too large a model: " run --config hidden.yaml
refused "a byte outside the vocabulary" "--prompt: byte 195 at position 0, but the model's vocabulary ends at 127" run --prompt ü
refused "too few bytes" "--bytes -1: give a number of at least 0" run --bytes -1
refused "a text that is not there" "nothing: No such file or directory" run --check nothing
refused "a device that is not there" "--device none:" run --device none
python3 - <<'PY'
import json
data = open("run/step-60/model.safetensors", "rb").read()
n = int.from_bytes(data[:8], "little")
header = json.loads(data[8 : 8 + n])
del header["__metadata__"]
text = json.dumps(header).encode()
open("bare.safetensors", "wb").write(len(text).to_bytes(8, "little") + text + data[8 + n :])
for name, header in {
    "metadata": {"__metadata__": [1]},
    "shape": {"a": {"dtype": "F32", "shape": [-1, -2], "data_offsets": [0, 8]}},
}.items():
    text = json.dumps(header).encode()
    open(name + ".safetensors", "wb").write(len(text).to_bytes(8, "little") + text + bytes(8))
PY
refused "a list of metadata" "metadata.safetensors: not a safetensors file of weights, or damaged" metadata.safetensors
refused "a negative shape" "shape.safetensors: not a safetensors file of weights, or damaged" shape.safetensors
refused "weights without a configuration" "has no configuration in its metadata (give it with --config FILE)" bare.safetensors
to_torch "which --config gives" bare.safetensors --config c.yaml --check part
sed 's/layers: 1/kind: other, layers: 1/' c.yaml >kind.yaml
refused "an unknown kind" "model.kind: found other, allowed: transformer_xl" bare.safetensors --config kind.yaml

holds "fade_logits is built (cmake --build --preset cpu --target fade_logits)" test -x "${FADE_LOGITS:-}"
OMP_NUM_THREADS=1 "$python" "$tests/pytorch/compare.py" "$fade" "${FADE_LOGITS:-}" part || failures=$((failures + 1))
finish
