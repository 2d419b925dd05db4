#!/usr/bin/env python3
"""Times text generation by an Expire-Span model in PyTorch with cached keys and values, alone or against fade.

One stream, byte by byte, float32, sampled at temperature 0.8. The model is that of peer_model.py; here every layer keeps
the keys, values and spans of its newest L rows, so that a byte costs one row of each product and L rows of attention.
All L rows are live: of rows that are forgotten, fade keeps nothing, and a tensor could keep nothing with more copying.
Needs torch and pyyaml.

    peer_generate.py --check                            first compare logits with the model without a cache, in float64
    peer_generate.py --live 128 576 [--compile]         time PyTorch, with the sizes of configs/enwik8_cpu.yaml
    peer_generate.py --live 128 576 --against build/fade
                                                        time both, alternately; fade's untrained model has spans of L - ramp,
                                                        so that it keeps as many rows
"""

import argparse
import json
import statistics
import subprocess
import tempfile
import time
from dataclasses import replace
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import nn

from peer_model import Model, Sizes, forget, read_sizes, worst_error
from peer_pytorch import keep_freed_memory, machine

TEMPERATURE = 0.8
TINY = 1e-30  # least m_ij: its logarithm is finite, and a row of this weight is not seen
LINE = 16  # floats: cached rows begin at whole cache lines


class CachedLayer:
    """A layer that reads one byte at a time. Its cache has a row per byte: key, value, and the logit of the span."""

    def __init__(self, layer, pos, L: int):
        """pos [P,D]. Room for 2 L rows: when it is full, the newest L return to the front."""
        self.layer, self.attn, z = layer, layer.attn, layer.attn.z
        self.z, attn, like = z, layer.attn, {"device": pos.device, "dtype": pos.dtype}
        # One product for all: [3 H + 1, H], padded so that cached rows are whole cache lines.
        w = torch.cat([attn.query.weight, attn.key.weight, attn.value.weight, attn.span.weight / z.pre_div])
        self.w, self.b = F.pad(w, (0, 0, 0, LINE - 1)), F.pad(attn.span.bias, (3 * z.hidden, LINE - 1))
        self.scale = (z.hidden // z.heads) ** -0.5
        self.rows = torch.zeros(2 * L, 2 * z.hidden + LINE, **like)
        self.pos = pos.flip(0).T.contiguous()  # [D,P], the nearest distance last
        self.ramp = 1 - torch.arange(L, 0, -1, **like) / z.ramp  # m_ij = e_j / R + this

    def __call__(self, x, end: int, n: int):
        """x [1,H] sees the n rows before place `end`, and is written there -> [1,H]"""
        layer = self.layer
        if self.z.pre_norm:
            y = x + self.attention(layer.norm1(x), end, n)
            return y + layer.feed_forward(layer.norm2(y))
        y = layer.norm1(x + self.attention(x, end, n))
        return layer.norm2(y + layer.feed_forward(y))

    def attention(self, x, end, n):
        z, H, P = self.z, self.z.hidden, min(n, self.pos.shape[1])
        heads = lambda part: part.unflatten(-1, (z.heads, -1)).transpose(0, 1)  # [r,H] -> [K,r,D]
        q, new = F.linear(x, self.w, self.b).split((H, 2 * H + LINE), 1)
        q = heads(q)
        if z.qk_norm:
            q, new = self.attn.query_norm(q), torch.cat([self.attn.key_norm(heads(new[:, :H])).flatten()[None], new[:, H:]], 1)
        self.rows.narrow(0, end, 1).copy_(new)
        k, v, span = self.rows.narrow(0, end - n, n).split((H, H, LINE), 1)
        # a_ij m_ij / Σ a_ij m_ij is the softmax of the scores plus log m_ij. (EPS is left out of the sum.)
        m = torch.add(self.ramp.narrow(0, self.ramp.shape[0] - n, n), torch.sigmoid(span[:, 0]), alpha=z.max_span / z.ramp)
        scores = torch.baddbmm(m.clamp_(TINY, 1).log_(), q, heads(k).mT, alpha=self.scale)  # [K,1,n]
        scores.narrow(2, n - P, P).add_(q @ self.pos.narrow(1, self.pos.shape[1] - P, P), alpha=self.scale)
        return self.attn.out((torch.softmax(scores, -1) @ heads(v)).view(1, H))


class Generator:
    """A model that reads byte by byte and keeps L rows."""

    def __init__(self, model, L: int, compiled: bool):
        self.model, self.L, self.end, self.read = model, L, 0, 0
        self.layers = [CachedLayer(layer, model.pos.weight, L) for layer in model.layers]
        self.compute = torch.compile(self.computed, dynamic=True) if compiled else self.computed

    def computed(self, token, end, n):
        x = self.model.embed(token)
        for layer in self.layers:
            x = layer(x, end, n)
        return self.model.out(self.model.norm(x) if self.model.config.pre_norm else x)

    def logits(self, token):
        """token [1] -> logits [1,V] of the byte after it."""
        if self.end == 2 * self.L:
            for layer in self.layers:
                layer.rows[: self.L] = layer.rows[self.L :]
            self.end = self.L
        # The first bytes, of which there are fewer rows, are not compiled.
        compute = self.compute if self.end >= self.L else self.computed
        self.end += 1
        return compute(token, self.end - 1, min(self.end - 1, self.L))

    def generate(self, token, count: int) -> bytes:
        out = bytearray()
        for _ in range(count):
            token = torch.multinomial(torch.softmax(self.logits(token)[0] / TEMPERATURE, -1), 1)
            out.append(int(token))
        return bytes(out)


@torch.no_grad()
def check(z: Sizes, compiled: bool, tolerance=1e-6):
    """Logits of random bytes, through whole blocks of peer_model.py and byte by byte, with spans of many lengths."""
    torch.manual_seed(1)
    z = replace(z, batch=1)
    model, L = Model(z, initial_span=0.3).double(), z.max_span + z.ramp  # so that no row is lost before it has expired
    for layer in model.layers:
        nn.init.normal_(layer.attn.span.weight, std=z.pre_div / 10)
    model.pos.weight.normal_()
    blocks = 3 * L // z.block + 1
    text, memory, whole = torch.randint(z.vocab, (1, blocks * z.block)), model.empty_memory(), []
    for block in text.split(z.block, 1):
        logits, _, seen = model.logits(block, memory)
        memory = [forget(*layer, z) for layer in seen]
        whole.append(logits[0])
    generator = Generator(model, L, compiled)
    single = torch.cat([generator.logits(token) for token in text[0].split(1)])
    error = worst_error(single, torch.cat(whole))
    print(f"{'ok  ' if error <= tolerance else 'FAIL'} {len(single)} bytes, {L} rows: worst relative error {error:.1e}")
    if not error <= tolerance:
        raise SystemExit("the model with a cache differs from the one without")


class Peer:
    def __init__(self, z: Sizes, L: int, args):
        torch.manual_seed(1)
        # Spans of L - R, which are seen for L rows.
        self.generator = Generator(Model(z, initial_span=(L - z.ramp) / z.max_span), L, args.compile)
        self.newest = torch.tensor([10])
        self.generator.generate(self.newest, 2 * L + 10)

    def seconds(self, count):
        start = time.perf_counter()
        self.generator.generate(self.newest, count)
        return time.perf_counter() - start


class Fade:
    """fade generate with a model of the same sizes after one small update."""

    def __init__(self, z: Sizes, L: int, args, folder):
        self.args, self.run, self.first = args, f"{folder}/{L}", 2 * L
        sizes = {name: getattr(z, name) for name in ("layers", "hidden", "ff", "heads", "block", "max_span", "pre_norm", "qk_norm")}
        sizes |= {"span.ramp": z.ramp, "span.pre_div": z.pre_div, "span.init": (L - z.ramp) / z.max_span}
        sets = {f"model.{name}": str(value).lower() for name, value in sizes.items()}
        sets |= {"data.kind": "recall", "data.recall.bytes": 100000, "train.batch": 1, "train.steps": 1, "train.optimizer.lr": 1e-9}
        sets |= {"train.eval_bytes": 4 * L}
        self.call("train", args.config, "--out", self.run, *(w for s in sets.items() for w in ("--set", "=".join(map(str, s)))))

    def seconds(self, count):
        """Of `count` bytes after the first, so that neither the start nor a memory that fills counts."""
        return self.whole(self.first + count) - self.whole(self.first)

    def whole(self, count):
        start = time.perf_counter()
        self.call("generate", self.run, "--bytes", str(count), "--threads", str(self.args.threads))
        return time.perf_counter() - start

    def call(self, *words):
        done = subprocess.run([self.args.against, *words], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        if done.returncode:
            raise SystemExit(f"failed: {' '.join([self.args.against, *words])}\n{done.stderr.strip()}")


@torch.inference_mode()
def measure(z: Sizes, L: int, args, folder) -> dict:
    z = replace(z, batch=1, max_span=max(z.max_span, 2 * L))
    sides = {"pytorch": Peer(z, L, args)} | ({"fade": Fade(z, L, args, folder)} if args.against else {})
    runs = [{name: args.bytes / side.seconds(args.bytes) for name, side in sides.items()} for _ in range(args.repeats)]
    result = {"live": L} | {name: round(statistics.median(r[name] for r in runs)) for name in sides}
    if args.against:
        ratios = [r["fade"] / r["pytorch"] for r in runs]
        result["ratio"] = [round(f(ratios), 2) for f in (statistics.median, min, max)]
    return result | {"runs": [{name: round(value) for name, value in r.items()} for r in runs]}


def parse_arguments():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--check", action="store_true", help="compare with the model without a cache")
    p.add_argument("--live", type=int, nargs="+", default=[], metavar="L", help="rows in memory")
    p.add_argument("--against", metavar="FADE", help="the program fade: time its generate as well")
    p.add_argument("--compile", action="store_true", help="torch.compile instead of eager")
    p.add_argument("--config", default="configs/enwik8_cpu.yaml", help="sizes (%(default)s)")
    p.add_argument("--threads", type=int, default=1, help="(1)")
    p.add_argument("--bytes", type=int, default=2000, help="timed at a time (2000)")
    p.add_argument("--repeats", type=int, default=5, help="of which the median counts (5)")
    return p.parse_args()


def main():
    args = parse_arguments()
    if not args.check and not args.live:
        raise SystemExit("nothing to do: give --check, --live L or both (--help explains)")
    torch.set_num_threads(args.threads)
    keep_freed_memory()
    z = read_sizes(args.config)
    if z.kind != "expire_span":
        raise SystemExit(f"{args.config}: kind {z.kind}: only expire_span can be timed")
    if least := [L for L in args.live if L <= z.ramp]:
        raise SystemExit(f"--live {least[0]}: give more than the ramp, {z.ramp}")
    if args.check:
        check(z, args.compile)
    with tempfile.TemporaryDirectory() as folder:
        results = [measure(z, L, args, folder) for L in args.live]
    if results:
        setting = machine() | {"mode": "compiled" if args.compile else "eager"}
        setting |= {name: getattr(args, name) for name in ("threads", "config", "bytes", "repeats")}
        print(json.dumps(setting | {"tokens_per_s": results}, indent=1))


if __name__ == "__main__":
    main()
