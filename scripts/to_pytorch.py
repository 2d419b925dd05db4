#!/usr/bin/env python3
"""fade's models in PyTorch, in one file: reads a checkpoint, generates text, writes weights back.

    to_pytorch.py RUN --prompt "Once upon" --bytes 400      text, as fade generate
    to_pytorch.py RUN --check FILE                          bits per byte of FILE, as fade eval --data FILE --streams 1
    to_pytorch.py RUN --save weights.pt                     the state dict, for torch.load
    to_pytorch.py RUN --weights weights.pt --to-fade DIR    such a state dict as a checkpoint that fade reads

RUN is what fade takes: a run (its best checkpoint, or else its newest), RUN/best, RUN/latest, a step-N folder, or a
model.safetensors. Needs PyTorch and PyYAML. As a module:

    model = to_pytorch.load("runs/x")              # a torch.nn.Module, in eval mode
    logits, memory, aux = model(tokens)            # tokens [B, n] -> logits [B, n, V] for the byte after each
    logits, memory, aux = model(tokens, memory)    # the next n bytes of the same streams
    to_pytorch.save(model, "runs/x-tuned")         # fade eval runs/x-tuned

The formulas are those of docs/specification.md, sections 1 to 5. In training mode (model.train()) dropout, span noise and
auxiliary losses are on: the loss is the cross-entropy plus `aux`, and model.constrain() belongs after each update. Every
tensor of a memory is padded to its longest stream; fade packs the streams, with the same results.

Sizes:  B streams     n positions read at a time, at most M = model.block     L rows in a layer's context: memory, then x
        H hidden      K heads     D = H / K     V vocabulary     S max_span     R ramp     P rows of the position table
        c rows in a slot, C slots (compressive)
"""

from __future__ import annotations

import argparse
import ctypes
import json
import math
import os
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

try:
    import torch
    import torch.nn.functional as F
    from torch import nn
except ModuleNotFoundError as missing:
    HOW = f"needs PyTorch, but there is no module {missing.name} (pip install torch pyyaml; Debian has python3-torch)"
    if __name__ == "__main__":
        print(f"to_pytorch: {HOW}", file=sys.stderr)
        sys.exit(2)
    raise ImportError(HOW) from None

FORGOTTEN = 10**9  # age of a row that only pads: at this distance no row is seen
EPS = 1e-8  # of the renormalised weights


class Refused(ValueError):
    """What was asked for is wrong: one line, with the remedy."""


# ---- configuration


@dataclass
class Config:
    """The section `model` of a configuration, and what else a model needs; defaults as in docs/configuration.md."""

    kind: str = "expire_span"
    layers: int = 8
    hidden: int = 256
    ff: int = 1024
    heads: int = 4
    block: int = 256
    max_span: int = 4096
    pre_norm: bool = False
    qk_norm: bool = False
    dropout: float = 0.0
    ramp: int = 64
    span_loss: float = 1e-6
    pre_div: float = 64.0
    noisy: bool = False
    compress: str = "mean"
    rate: int = 4
    slots: int = 128
    vocab: int = 256
    dtype: str = "f32"

    @property
    def positions(self) -> int:
        """P: the rows of pos.weight."""
        if self.kind == "expire_span":
            return min(self.block, self.max_span)
        return self.max_span + (self.slots + 1 if self.kind == "compressive" else 0)


def read_config(text: str, name: str) -> Config:
    """A configuration in YAML; fade checks them more closely. Raises Refused."""
    try:
        import yaml
    except ModuleNotFoundError:
        raise Refused("needs PyYAML (pip install pyyaml; Debian has python3-yaml)") from None
    try:
        found = yaml.safe_load(text) or {}
        model = dict(found.get("model") or {})
        span, compress = model.pop("span", None) or {}, model.pop("compress", None) or {}
        values = {**model, **{k: v for k, v in span.items() if k != "loss"}, **compress}
        values.pop("kind", None)
        values |= {"kind": model.get("kind", "expire_span"), "compress": compress.get("kind", "mean")}
        values |= {"span_loss": span["loss"]} if "loss" in span else {}
        values |= {"vocab": found["data"]["vocab"]} if "vocab" in (found.get("data") or {}) else {}
        values |= {"dtype": found["dtype"]} if "dtype" in found else {}
        kinds = {k: type(v) for k, v in vars(Config()).items()}
        config = Config(**{k: kinds[k](v) for k, v in values.items() if k in kinds})  # YAML reads 1e-6 as text
    except (yaml.YAMLError, AttributeError, TypeError, ValueError, OverflowError) as wrong:
        raise Refused(f"{name}: not a configuration of fade: {str(wrong).splitlines()[0]}") from None
    if config.kind not in KINDS:
        raise Refused(f"{name}: model.kind: found {config.kind}, allowed: {', '.join(KINDS)}")
    for key, value in vars(config).items():
        if type(value) is int and value < 1:
            raise Refused(f"{name}: {key}: found {value}, needs at least 1")
    if not 0 <= config.dropout < 1:
        raise Refused(f"{name}: model.dropout: found {config.dropout}, needs at least 0 and less than 1")
    if config.hidden % config.heads:
        raise Refused(f"{name}: model.hidden: found {config.hidden}, needs a multiple of model.heads ({config.heads})")
    return config


# ---- the model


class LayerMemory(NamedTuple):
    """What a layer remembers between blocks, oldest first; constants for the gradient."""

    rows: torch.Tensor  # [B, N, H]: hidden states as they entered the layer; compressive: slots, then rows
    age: torch.Tensor  # [B, N]: distance to the next block's first query; of a slot, that of its first row
    slots: int  # how many of the N are slots
    read: int  # positions read of every stream so far


def rms_norm(x, gain):
    return x * (x.square().mean(-1, keepdim=True) + 1e-5).rsqrt() * gain


class HeadNorm(nn.Module):
    """Of queries or keys [.., D]."""

    def __init__(self, size: int):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(size))

    def forward(self, x):
        return rms_norm(x, self.weight)


class Attention(nn.Module):
    """What the kinds share. Each adds forward: rows [B, L, H], distance [B, n, L] of each row to each query (the last n rows
    are the queries), pos [P, D] -> the layer's addition to x [B, n, H], its auxiliary loss (0 in eval mode), and which
    rows live on [B, L]."""

    def __init__(self, z: Config):
        super().__init__()
        self.z = z
        for name in ("query", "key", "value", "out"):
            self.add_module(name, nn.Linear(z.hidden, z.hidden, bias=False))
        for name in ("query_norm", "key_norm"):
            self.add_module(name, HeadNorm(z.hidden // z.heads) if z.qk_norm else nn.Identity())
        self.dropout = nn.Dropout(z.dropout)

    def heads(self, x):
        """[B, r, H] -> [B, K, r, D]"""
        return x.unflatten(-1, (self.z.heads, -1)).transpose(1, 2)

    def weights(self, rows, seen, position, pos):
        """Softmax over the rows that a query sees: seen and position [B, n, L] -> [B, K, n, L]. A position of -1 has no
        term; a query that sees nothing has weights of 0."""
        K, n, D = self.z.heads, seen.shape[1], self.z.hidden // self.z.heads
        q, k = self.query_norm(self.heads(self.query(rows[:, -n:]))), self.key_norm(self.heads(self.key(rows)))
        index = position[:, None].expand(-1, K, -1, -1)
        near = (q @ pos.T).gather(-1, index.clamp(min=0)).masked_fill(index < 0, 0)
        scores = (q @ k.mT + near) / math.sqrt(D)
        lowest = torch.finfo(scores.dtype).min  # finite: a row of the softmax without any row seen is no NaN
        return scores.masked_fill(~seen[:, None], lowest).softmax(-1) * seen[:, None]

    def output(self, weights, rows):
        """weights [B, K, n, L], rows [B, L, H] -> [B, n, H]"""
        return self.out((self.dropout(weights) @ self.heads(self.value(rows))).transpose(1, 2).flatten(2))

    def before_block(self, memory: LayerMemory, x, norm):
        """The memory that block x [B, n, H] is read with, and an auxiliary loss."""
        return memory, 0.0

    @staticmethod
    def renormalised(a, m):
        return a * m / ((a * m).sum(-1, keepdim=True) + EPS)


def near_rows(distance, most: int):
    """The rows at 1 <= distance <= most, and their rows of the position table, -1 for the others."""
    seen = (distance >= 1) & (distance <= most)
    return seen, torch.where(seen, distance - 1, -1)


class TransformerXlAttention(Attention):
    """A window of S rows."""

    def forward(self, rows, distance, slots, pos, noise):
        seen, position = near_rows(distance, self.z.max_span)
        weights = self.weights(rows, seen, position, pos)
        return self.output(weights, rows), 0.0, distance[:, -1] + 1 <= self.z.max_span


class AdaptiveSpanAttention(Attention):
    """Each head learns how far it sees: z_h = ratio_h · S."""

    def __init__(self, z: Config):
        super().__init__(z)
        self.span = nn.ParameterDict({"ratio": nn.Parameter(torch.zeros(z.heads))})

    def forward(self, rows, distance, slots, pos, noise):
        S, R, z = self.z.max_span, self.z.ramp, self.span["ratio"] * self.z.max_span
        seen, position = near_rows(distance, S)
        m = ((z[:, None, None] - (distance[:, None] - 1)) / R + 1).clamp(0, 1)  # [B, K, n, L]
        weights = self.renormalised(self.weights(rows, seen, position, pos), m)
        aux = self.z.span_loss * z.mean() if self.training else 0.0
        # One more ramp than the longest head sees, for heads that grow.
        return self.output(weights, rows), aux, distance[:, -1] < (z.detach().max() + 2 * R).clamp(max=S)

    @torch.no_grad()
    def constrain(self):
        self.span["ratio"].clamp_(0, 1)


class ExpireSpanAttention(Attention):
    """Each row has a span e, after which it fades over R positions and is forgotten."""

    def __init__(self, z: Config):
        super().__init__(z)
        self.span = nn.Linear(z.hidden, 1)

    def forward(self, rows, distance, slots, pos, noise):
        S, R, n = self.z.max_span, self.z.ramp, distance.shape[1]
        logit = F.linear(rows, self.span.weight) / self.z.pre_div + self.span.bias
        e = S * torch.sigmoid(logit).squeeze(-1)  # [B, L]
        cut = e.clamp(max=noise * S)[:, None]
        m = ((cut - distance) / R + 1).clamp(0, 1)
        seen = (cut > distance - R) & (distance >= 1)  # compared before anything is subtracted
        _, position = near_rows(distance, self.z.positions)
        weights = self.renormalised(self.weights(rows, seen, position, pos), m[:, None])
        aux = 0.0
        if self.training:  # summed over rows on their ramp, mean over streams
            on_ramp = seen & (cut < distance)
            aux = self.z.span_loss / (R * n * len(rows)) * torch.where(on_ramp, cut - distance, 0).sum()
        return self.output(weights, rows), aux, e.detach() > distance[:, -1] + 1 - R


class CompressiveAttention(Attention):
    """A window of S rows; behind it C slots, each made of c rows. Groups of c are counted from a stream's first position on;
    a group's slot is seen once its first row is `held` positions back, and then by (C + 1)·c queries."""

    def __init__(self, z: Config):
        super().__init__(z)
        self.held = z.max_span // z.block * z.block  # exact rows that memory holds
        if z.compress == "conv":
            self.compress = nn.Conv1d(z.hidden, z.hidden, z.rate, stride=z.rate)

    def pool(self, old):
        """[B, G·c, H] -> slots [B, G, H]"""
        if self.z.compress == "conv":
            return self.compress(old.mT).mT
        return old.unflatten(1, (-1, self.z.rate)).mean(2)

    def before_block(self, memory, x, norm):
        """Adds the slots that become visible during the block."""
        c, read, n = self.z.rate, memory.read, x.shape[1]
        groups = lambda queries: max(0, (queries - 1 - self.held) // c + 1)  # seen by any of the first `queries`
        made, needed = groups(read), groups(read + n)
        if made == needed:
            return memory, 0.0
        exact = torch.cat([memory.rows[:, memory.slots :], x.detach()], 1)  # its last row is position read + n - 1
        first = made * c - (read + n - exact.shape[1])
        old = exact[:, first : first + (needed - made) * c]
        with torch.no_grad():
            new = self.pool(old)
        age = (read - c * torch.arange(made, needed, device=x.device)).expand(len(x), -1)
        put = lambda all, new: torch.cat([all[:, : memory.slots], new, all[:, memory.slots :]], 1)
        aux = self.reconstruction_loss(old, x.detach(), norm) if self.training and self.z.compress == "conv" else 0.0
        slots = memory.slots + needed - made
        return LayerMemory(put(memory.rows, new), put(memory.age, age), slots, read), aux

    def forward(self, rows, distance, slots, pos, noise):
        S, C, c = self.z.max_span, self.z.slots, self.z.rate
        slot = torch.arange(rows.shape[1], device=rows.device) < slots  # [L]
        seen, position = near_rows(distance, S)
        back = (distance - self.held) // c  # which of the visible slots, 0 the newest
        seen = torch.where(slot, (back >= 0) & (back <= C), seen)
        position = torch.where(slot, torch.where(seen, S + back, -1), position)
        weights = self.weights(rows, seen, position, pos)
        later = distance[:, -1] + 1
        return self.output(weights, rows), 0.0, torch.where(slot, later < self.held + (C + 1) * c, later <= self.held)

    def reconstruction_loss(self, old, x, norm):
        """Trains the convolution, and nothing else: attention by content should find in the slots what it finds in the rows."""
        project = lambda rows, linear: self.heads(F.linear(rows, linear.weight.detach()))
        normalised = lambda x, norm: rms_norm(x, norm.weight.detach()) if self.z.qk_norm else x

        def content(rows):
            if norm is not None:
                rows = F.layer_norm(rows, norm.normalized_shape, norm.weight.detach(), norm.bias.detach())
            k, v = normalised(project(rows, self.key), self.key_norm), project(rows, self.value)
            return (q @ k.mT / math.sqrt(q.shape[-1])).softmax(-1) @ v

        if norm is not None:
            x = norm(x).detach()
        q = normalised(project(x, self.query), self.query_norm)
        return (content(self.pool(old)) - content(old)).square().mean()


KINDS = {
    "transformer_xl": TransformerXlAttention,
    "adaptive_span": AdaptiveSpanAttention,
    "compressive": CompressiveAttention,
    "expire_span": ExpireSpanAttention,
}


class FeedForward(nn.Module):
    def __init__(self, z: Config):
        super().__init__()
        self.fc1, self.fc2, self.dropout = nn.Linear(z.hidden, z.ff), nn.Linear(z.ff, z.hidden), nn.Dropout(z.dropout)

    def forward(self, x):
        return self.fc2(self.dropout(F.relu(self.fc1(x))))


class Layer(nn.Module):
    def __init__(self, z: Config):
        super().__init__()
        self.pre_norm = z.pre_norm
        self.attn, self.ff = KINDS[z.kind](z), FeedForward(z)
        self.norm1, self.norm2 = nn.LayerNorm(z.hidden), nn.LayerNorm(z.hidden)

    def forward(self, x, memory: LayerMemory, pos, noise):
        """x [B, n, H] -> x [B, n, H], the memory after the block, the auxiliary loss []"""
        n = x.shape[1]
        memory, aux = self.attn.before_block(memory, x, self.norm1 if self.pre_norm else None)
        query = torch.arange(n, device=x.device)
        age = torch.cat([memory.age, -query.expand(len(x), n)], 1)  # [B, L]
        rows = torch.cat([memory.rows, x], 1)
        out, more, live = self.attn(
            self.norm1(rows) if self.pre_norm else rows, age[:, None] + query[:, None], memory.slots, pos, noise
        )
        remembered = remember(rows.detach(), age + n, live, memory.slots, memory.read + n)
        if self.pre_norm:
            y = x + out
            return y + self.ff(self.norm2(y)), remembered, aux + more
        y = self.norm1(x + out)
        return self.norm2(y + self.ff(y)), remembered, aux + more


def remember(rows, age, live, slots: int, read: int) -> LayerMemory:
    """The living rows, in order, padded at the front to the length of the longest stream."""
    keep = int(live.sum(1).max())
    order = live.long().argsort(dim=1, stable=True)[:, live.shape[1] - keep :]  # forgotten rows come first
    age = torch.where(live, age, FORGOTTEN).gather(1, order)
    slots = int(live[0, :slots].sum())  # the same in every stream
    return LayerMemory(rows.gather(1, order[..., None].expand(-1, -1, rows.shape[2])), age, slots, read)


class Transformer(nn.Module):
    """Parameters have fade's names and shapes (docs/specification.md, section 5)."""

    layer = Layer  # bench/peer_model.py has another one

    def __init__(self, config: Config):
        super().__init__()
        self.config = z = config
        self.embed, self.pos = nn.Embedding(z.vocab, z.hidden), nn.Embedding(z.positions, z.hidden // z.heads)
        self.layers = nn.ModuleList(self.layer(z) for _ in range(z.layers))
        if z.pre_norm:
            self.norm = nn.LayerNorm(z.hidden)
        self.out = nn.Linear(z.hidden, z.vocab)

    def empty_memory(self, streams: int) -> list[LayerMemory]:
        w = self.out.weight
        empty = LayerMemory(w.new_empty(streams, 0, w.shape[1]), w.new_empty(streams, 0, dtype=torch.long), 0, 0)
        return [empty] * len(self.layers)

    def forward(self, tokens, memory: list[LayerMemory] | None = None):
        """tokens [B, n] -> logits [B, n, V] for the byte after each, the memory for the next call, the auxiliary loss []."""
        memory = self.empty_memory(len(tokens)) if memory is None else memory
        noise = torch.rand(()).item() if self.training and self.config.noisy else 1.0  # one u for all layers
        x, aux, after = self.embed(tokens.long()), self.out.weight.new_zeros(()), []
        for layer, past in zip(self.layers, memory):
            x, remembered, more = layer(x, past, self.pos.weight, noise)
            after.append(remembered)
            aux = aux + more
        return self.out(self.norm(x) if self.config.pre_norm else x), after, aux

    def constrain(self):
        """Puts learned ratios (adaptive_span) back into [0, 1]: after each update."""
        for layer in self.layers:
            if isinstance(layer.attn, AdaptiveSpanAttention):
                layer.attn.constrain()


# ---- files

DTYPES = {"F32": torch.float32, "F64": torch.float64, "F16": torch.float16, "BF16": torch.bfloat16}


def find_weights(checkpoint) -> Path:
    """The model.safetensors that a user means by a run, a checkpoint or a file. Raises Refused."""
    path = Path(checkpoint)
    if path.is_dir() and not (path / "model.safetensors").exists():
        named = [(path / name).read_text().strip() for name in ("best", "latest") if (path / name).is_file()]
        steps = [p.name for p in path.glob("step-*") if p.name[5:].isdigit()]
        named += sorted(steps, key=lambda name: int(name[5:]), reverse=True)
        found = [path / name for name in named if (path / name / "model.safetensors").exists()]
        if not found:
            raise Refused(f"{path}: neither a checkpoint (no model.safetensors) nor a run with one (no step-N)")
        path = found[0]
    if path.name in ("best", "latest") and path.is_file():
        path = path.parent / path.read_text().strip()
    path = path / "model.safetensors" if path.is_dir() else path
    if not path.exists():
        raise Refused(f"{path}: there is no such run, checkpoint or file (fade train writes runs)")
    return path


def read_safetensors(path: Path):
    """({name: tensor}, metadata) of a file. Raises Refused."""
    data = bytearray(path.read_bytes())
    try:
        begin = 8 + int.from_bytes(data[:8], "little")
        header = json.loads(data[8:begin])
        metadata, tensors = dict(header.pop("__metadata__", {})), {}
        for name, t in header.items():
            start, end = (begin + offset for offset in t["data_offsets"])
            if end > len(data):
                raise ValueError("the file is too short")
            dtype = DTYPES[t["dtype"]]
            count = math.prod(t["shape"])
            tensors[name] = torch.frombuffer(data, dtype=dtype, count=count, offset=start).reshape(t["shape"]).clone()
    except (KeyError, TypeError, ValueError, AttributeError, RuntimeError) as wrong:  # RuntimeError: PyTorch's, too deep JSON
        raise Refused(f"{path}: not a safetensors file of weights, or damaged: {wrong} (is an earlier step-N whole?)") from None
    return tensors, metadata


def write_safetensors(path: Path, tensors: dict, metadata: dict):
    """Writes beside the file and renames, so that it appears whole."""
    names, header, at = {torch_type: name for name, torch_type in DTYPES.items()}, {"__metadata__": metadata}, 0
    for name, t in tensors.items():
        size = t.numel() * t.element_size()
        header[name] = {"dtype": names[t.dtype], "shape": list(t.shape), "data_offsets": [at, at + size]}
        at += size
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    beside = path.with_suffix(".tmp")
    with open(beside, "wb") as file:
        file.write(len(text).to_bytes(8, "little") + text)
        for t in tensors.values():
            file.write(ctypes.string_at(t.data_ptr(), t.numel() * t.element_size()))
    os.replace(beside, path)


def put_weights(model: Transformer, weights: dict, name: str):
    """Replaces the model's weights. Raises Refused where names or shapes differ."""
    expected = {k: list(v.shape) for k, v in model.state_dict().items()}
    if not isinstance(weights, dict) or not all(isinstance(v, torch.Tensor) for v in weights.values()):
        raise Refused(f"{name}: not a state dict: tensors by name (torch.save(model.state_dict(), ...))")
    for key in [*expected, *weights]:
        if key not in weights:
            raise Refused(f"{name}: tensor {key} is missing (names are those of fade info)")
        if key not in expected:
            raise Refused(f"{name}: tensor {key} is not a parameter of this model (another kind, size or norm?)")
        if list(weights[key].shape) != expected[key]:
            raise Refused(f"{name}: {key} has shape {list(weights[key].shape)}, the model needs {expected[key]}")
    model.load_state_dict(weights)


def load(checkpoint, config=None, dtype=None, device="cpu") -> Transformer:
    """The model of a checkpoint, in eval mode. `config`: a YAML file, for weights without a configuration in their metadata.
    `dtype`: torch.float32 or float64 (default: the checkpoint's). Raises Refused."""
    path = find_weights(checkpoint)
    weights, metadata = read_safetensors(path)
    text = metadata.get("config")
    if config is not None:
        try:
            text = Path(config).read_text(encoding="utf-8")
        except UnicodeDecodeError as wrong:
            raise Refused(f"{config}: not a configuration of fade: {wrong}") from None
    if text is None:
        raise Refused(f"{path}: has no configuration in its metadata (give it with --config FILE)")
    z = read_config(text, str(config or path))
    try:
        model = Transformer(z).to(dtype or (torch.float64 if z.dtype == "f64" else torch.float32))
    except (RuntimeError, TypeError) as wrong:  # how PyTorch says that memory, or an integer, is too small
        raise Refused(f"{config or path}: too large a model: {str(wrong).splitlines()[0]} (make its sizes smaller)") from None
    put_weights(model, weights, str(path))
    model.yaml = text
    return model.eval().to(device)


def save(model: Transformer, folder, yaml: str | None = None):
    """Writes FOLDER/model.safetensors, a checkpoint that fade takes wherever it takes one. `yaml`: the configuration (default:
    the text that `load` found). Raises Refused where a checkpoint is already there."""
    text = yaml if yaml is not None else getattr(model, "yaml", None)
    if text is None:
        raise Refused("a model that was not loaded: give its configuration (save(model, folder, yaml=...))")
    path = Path(folder) / "model.safetensors"
    if path.exists():
        raise Refused(f"{path}: already there (give another folder)")
    path.parent.mkdir(parents=True, exist_ok=True)
    wide = torch.float64 if model.out.weight.dtype == torch.float64 else torch.float32
    tensors = {k: v.detach().to("cpu", wide).contiguous() for k, v in model.state_dict().items()}
    write_safetensors(path, tensors, {"config": text})


# ---- what the commands do


def tokens_of(model: Transformer, text: bytes, name: str):
    """Bytes [n] as tokens, on the model's device. Raises Refused for one outside the vocabulary."""
    V = model.config.vocab
    tokens = torch.frombuffer(bytearray(text), dtype=torch.uint8) if text else torch.empty(0, dtype=torch.uint8)
    outside = (tokens.int() >= V).nonzero() if V < 256 else ()
    if len(outside):
        at = int(outside[0])
        raise Refused(f"{name}: byte {text[at]} at position {at}, but the model's vocabulary ends at {V - 1} (data.vocab)")
    return tokens.to(model.out.weight.device)


@torch.no_grad()
def generate(model: Transformer, prompt: bytes, count: int, temperature=0.8, top_k=0, seed=1, name="--prompt"):
    """Yields `count` bytes that continue the prompt, one by one; without a prompt, a newline comes before them. With a
    temperature of 0 they are those of fade generate; other samples differ, because the random numbers do."""
    M, V = model.config.block, model.config.vocab
    random, memory = torch.Generator().manual_seed(seed), None
    tokens = tokens_of(model, prompt or bytes([min(ord("\n"), V - 1)]), name)[None]
    for i in range(count):
        for block in tokens.split(M, 1):
            logits, memory, _ = model(block, memory)
        last = logits[0, -1].double().cpu()
        if not torch.isfinite(last).all():
            raise Refused("the model's prediction is not finite (a damaged or diverged model)")
        if temperature <= 0:
            token = int(last.argmax())
        else:
            if top_k:
                last[last < last.topk(min(top_k, V)).values[-1]] = -math.inf
            token = int(torch.multinomial((last / temperature).softmax(0), 1, generator=random))
        yield token
        tokens = tokens.new_tensor([[token]])


@torch.no_grad()
def predictions(model: Transformer, text: bytes, streams=1, name="text"):
    """Reads a text once as fade eval does: of B streams, stream b predicts bytes b·s + 1 .. (b + 1)·s, s = (size - 1) div B.
    Yields (logits [B, n, V], targets [B, n]) block by block."""
    tokens, M, memory = tokens_of(model, text, name), model.config.block, None
    stride = (len(text) - 1) // streams
    if stride < 1:
        raise Refused(f"{name}: {len(text)} bytes are too few for {streams} stream{'s' if streams > 1 else ''}")
    x, y = (tokens[i : i + streams * stride].view(streams, stride) for i in (0, 1))
    for at in range(0, stride, M):
        logits, memory, _ = model(x[:, at : at + M], memory)
        yield logits, y[:, at : at + M]


def bits_per_byte(model: Transformer, text: bytes, streams=1, name="text"):
    """(bits per byte, bytes predicted) over a text: docs/specification.md, section 9."""
    nats, count = 0.0, 0
    for logits, targets in predictions(model, text, streams, name):
        nats += F.cross_entropy(logits.flatten(0, 1), targets.flatten().long(), reduction="sum").item()
        count += targets.numel()
    return nats / count / math.log(2), count


def parse_arguments():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("run", metavar="RUN", help="a run, RUN/best, RUN/latest, a step-N folder, or a model.safetensors")
    p.add_argument("--config", metavar="FILE", help="the configuration of weights that have none in their metadata")
    p.add_argument("--weights", metavar="FILE", help="a state dict (.pt or .safetensors) to take instead of RUN's weights")
    p.add_argument("--prompt", metavar="TEXT", default="", help="text to continue")
    p.add_argument("--prompt-file", metavar="FILE", help="file with the text to continue; - is standard input")
    p.add_argument("--bytes", type=int, default=256, metavar="N", help="how many bytes to write (256)")
    p.add_argument("--temperature", type=float, default=0.8, help="0: always the likeliest byte (0.8)")
    p.add_argument("--top-k", type=int, default=0, metavar="K", help="sample among the K likeliest bytes (0: all)")
    p.add_argument("--seed", type=int, default=1, help="of the random samples (1)")
    p.add_argument("--check", metavar="FILE", help="print the bits per byte of a text instead")
    p.add_argument("--streams", type=int, default=1, metavar="B", help="with --check: streams read in parallel (1)")
    p.add_argument("--save", metavar="FILE", help="write the state dict instead, for torch.load")
    p.add_argument("--to-fade", metavar="DIR", help="write DIR/model.safetensors instead, a checkpoint of fade")
    p.add_argument("--dtype", choices=("f32", "f64"), help="of the computation (default: the checkpoint's)")
    p.add_argument("--device", default="cpu", help="a device of PyTorch: cpu, cuda, ... (cpu)")
    args = p.parse_args()
    for name, least in (("bytes", 0), ("temperature", 0), ("top_k", 0), ("streams", 1)):
        if not getattr(args, name) >= least:
            raise Refused(f"--{name.replace('_', '-')} {getattr(args, name)}: give a number of at least {least}")
    return args


def read_state_dict(file: str):
    path = Path(file)
    if path.suffix == ".safetensors":
        return read_safetensors(path)[0]
    try:
        return torch.load(path, map_location="cpu", weights_only=True)
    except OSError:
        raise
    except Exception as wrong:  # of many types: pickle's, zip's, torch's own
        raise Refused(f"{path}: not a state dict written by torch.save: {str(wrong).splitlines()[0]}") from None


def work(args):
    dtype = {"f32": torch.float32, "f64": torch.float64, None: None}[args.dtype]
    model = load(args.run, args.config, dtype)
    try:
        model.to(args.device)
    except (RuntimeError, AssertionError) as wrong:  # how PyTorch says that there is no such device
        raise Refused(f"--device {args.device}: {str(wrong).splitlines()[0]}") from None
    if args.weights:
        put_weights(model, read_state_dict(args.weights), args.weights)
    if args.to_fade:
        save(model, args.to_fade)
    elif args.save:
        with open(args.save, "wb") as file:  # given a name, torch.save has errors of its own
            torch.save(model.state_dict(), file)
    elif args.check:
        bits, count = bits_per_byte(model, Path(args.check).read_bytes(), args.streams, args.check)
        print(f"{bits:.6f} bits per byte on {args.check} ({count} bytes predicted, {args.streams} streams)")
    else:
        prompt, name = os.fsencode(args.prompt), "--prompt"
        if args.prompt_file:
            name = args.prompt_file
            prompt = sys.stdin.buffer.read() if name == "-" else Path(name).read_bytes()
        tokens_of(model, prompt, name)  # refused before anything is written
        out = sys.stdout.buffer
        out.write(prompt)
        for byte in generate(model, prompt, args.bytes, args.temperature, args.top_k, args.seed, name):
            out.write(bytes([byte]))
            out.flush()
        if sys.stdout.isatty():
            out.write(b"\n")


def main():
    try:
        work(parse_arguments())
        sys.stdout.flush()
    except Refused as wrong:
        print(f"to_pytorch: {wrong}", file=sys.stderr)
        sys.exit(2)
    except BrokenPipeError:  # the reader of a pipe has ended
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except OSError as wrong:
        print(f"to_pytorch: {wrong.filename or 'writing'}: {wrong.strerror}", file=sys.stderr)
        sys.exit(2)


if __name__ == "__main__":
    main()
