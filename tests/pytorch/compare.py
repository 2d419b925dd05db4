"""scripts/to_pytorch.py against fade, for every kind and option: random weights are written as a checkpoint of fade, and both
read a text with them, several blocks of several streams, the last one short.

    compare.py FADE FADE_LOGITS TEXT      works in the current folder

Compares logits (f32), and losses, auxiliary losses and gradients (f64, fade grad).
"""

import itertools
import json
import subprocess
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "scripts"))

import to_pytorch
import torch
import torch.nn.functional as F

STREAMS, BLOCK, BLOCKS = 3, 8, 9
CONFIG = """
model:
  {{kind: {kind}, layers: 2, hidden: 16, ff: 24, heads: 2, block: {block}, max_span: 24, pre_norm: {pre_norm},
   qk_norm: {qk_norm}, span: {{ramp: 6, loss: 0.05, pre_div: 2}}, compress: {{kind: {compress}, rate: 4, slots: 3}}}}
data: {{vocab: 128}}
train: {{batch: {streams}, steps: 1}}
device: cpu
"""

fade, fade_logits, text = sys.argv[1:]
failures = 0


def report(what, error, allowed):
    global failures
    right = error <= allowed  # false for NaN
    failures += not right
    print(f"{'ok     ' if right else 'FAILED '} {what}: {error:.1e}, allowed {allowed:.0e}")


def largest(pairs, relative):
    """The largest difference; with `relative`, of each pair relative to the largest entry of the expected tensor."""
    errors = [(found - expected).abs().max() / (expected.abs().max() if relative else 1) for found, expected in pairs]
    return torch.stack(errors).max().item()


def random_model(config):
    """Weights as they are after training: no ratio, span or norm has its initial value."""
    model = to_pytorch.Transformer(to_pytorch.read_config(config, "config"))
    for name, p in model.named_parameters():
        if name.endswith("span.weight"):
            torch.nn.init.normal_(p, 0, 2)  # spans of every length
        elif name.endswith("span.ratio"):
            torch.nn.init.uniform_(p, 0, 0.8)
        elif "norm" in name:
            torch.nn.init.normal_(p, 0.8 if name.endswith("weight") else 0, 0.1)
    return model


def compare_logits(name, folder):
    out = folder / "logits.safetensors"
    subprocess.run([fade_logits, folder, text, str(STREAMS), out], check=True)
    expected, _ = to_pytorch.read_safetensors(out)
    model = to_pytorch.load(folder)
    with torch.no_grad():
        found = list(to_pytorch.predictions(model, Path(text).read_bytes(), STREAMS))
    assert len(found) == len(expected) > BLOCKS and found[-1][0].shape[1] < BLOCK, "several blocks, the last one short"
    pairs = [(logits.flatten(0, 1), expected[f"logits.{i}"]) for i, (logits, _) in enumerate(found)]
    report(f"{name}: logits of {len(pairs)} blocks", largest(pairs, False), 1e-5)

    command = [fade, "eval", folder, "--data", text, "--streams", str(STREAMS), "--json"]
    expected = json.loads(subprocess.run(command, stdout=subprocess.PIPE, check=True).stdout)
    bits, count = to_pytorch.bits_per_byte(model, Path(text).read_bytes(), STREAMS)
    assert count == expected["bytes"]
    report(f"{name}: bits per byte", abs(bits - expected["bits_per_byte"]), 1e-5)


def compare_gradients(name, folder):
    out = folder / "grad.safetensors"
    command = [fade, "grad", folder / "config.yaml", "--weights", folder, "--tokens", text, "--blocks", str(BLOCKS), "--out", out]
    subprocess.run(command, check=True)
    expected, _ = to_pytorch.read_safetensors(out)
    model = to_pytorch.load(folder, dtype=torch.float64).train()
    data = Path(text).read_bytes()
    tokens = torch.tensor(list(data[: len(data) // STREAMS * STREAMS])).view(STREAMS, -1)
    memory, losses = None, []
    for i in range(BLOCKS):
        x, y = (tokens[:, i * BLOCK + j : (i + 1) * BLOCK + j] for j in (0, 1))
        logits, memory, aux = model(x, memory)
        loss = F.cross_entropy(logits.flatten(0, 1), y.flatten())
        losses.append(torch.stack([loss, aux]).detach())
    (loss + aux).backward()
    wanted = torch.stack([expected["loss"], expected["aux"]], 1)
    report(f"{name}: losses of {BLOCKS} blocks", largest([(torch.stack(losses), wanted)], True), 1e-12)
    gradients = [(p.grad, expected["grad." + key]) for key, p in model.named_parameters()]
    report(f"{name}: {len(gradients)} gradients", largest(gradients, True), 1e-12)


torch.manual_seed(1)
options = [(False, False), (True, False), (True, True)]  # pre_norm, qk_norm
for kind, (pre_norm, qk_norm), compress in itertools.product(to_pytorch.KINDS, options, ("mean", "conv")):
    if compress == "conv" and kind != "compressive":
        continue
    name = f"{kind}{', conv' * (compress == 'conv')}{', pre-norm' * pre_norm}{', qk-norm' * qk_norm}"
    config = CONFIG.format(
        kind=kind, pre_norm=str(pre_norm).lower(), qk_norm=str(qk_norm).lower(), compress=compress, block=BLOCK, streams=STREAMS
    )
    folder = Path(name.replace(", ", "-"))
    folder.mkdir()
    (folder / "config.yaml").write_text(config)
    to_pytorch.save(random_model(config), folder, config)
    compare_logits(name, folder)
    compare_gradients(name, folder)
sys.exit(failures > 0)
