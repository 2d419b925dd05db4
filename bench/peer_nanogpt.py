#!/usr/bin/env python3
"""Bits per byte that a plain GPT reaches on a text in a given time: the peer of fade's small models.

The model is that of nanoGPT, written from the description of GPT-2: blocks with layer norm in front, learned absolute
positions, causal attention (scaled_dot_product_attention), a GELU layer of four times the width, embedding and output
tied, no biases, dropout on embeddings, weights and residuals. So is the training: random crops, AdamW with betas 0.9
and 0.99 and a weight decay of 0.1 on matrices, warm-up, then half a cosine down to a tenth of the learning rate,
gradients clipped to a norm of 1. Tokens are bytes, all 256, and the text is split as fade splits it: 90 % training,
5 % validation, 5 % test. Float32.

    peer_nanogpt.py TEXT --minutes 1 --threads 2            one run, a minute of the clock
    peer_nanogpt.py TEXT --cpu-seconds 120                  the time of all threads added: for a machine with other work
    peer_nanogpt.py TEXT --steps 500 --lr 1e-3 --seed 2     as many steps, whatever they take
    peer_nanogpt.py TEXT --cpu-seconds 120 --sweep lr=1e-3,2e-3,4e-3 width=96,128,192 layers=2,3,4 --jobs 2
                                                            option after option: the best value stays for the next ones

Each run is a line of JSON. The learning rate follows the time, so that the schedule ends with it. The clock counts
training steps only: not imports, validations, nor the first step's allocations or compilation, in the peer's favour.
Validation reads all of the split in windows of a block, each half a block (--stride) after the one before, and counts
the new part of each: a byte is predicted from at least half a block of bytes before it. Needs torch.
"""

import argparse
import itertools
import json
import math
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import nn

from peer_pytorch import keep_freed_memory, machine

VOCAB = 256


@dataclass(frozen=True)
class Recipe:
    """What a sweep may change."""

    layers: int = 3
    width: int = 128
    heads: int = 4
    block: int = 128
    batch: int = 8
    lr: float = 2e-3
    dropout: float = 0.0
    warmup: int = 100
    seed: int = 1


class Block(nn.Module):
    def __init__(self, z: Recipe):
        super().__init__()
        self.z = z
        self.norm1, self.norm2 = nn.LayerNorm(z.width, bias=False), nn.LayerNorm(z.width, bias=False)
        self.qkv, self.out = nn.Linear(z.width, 3 * z.width, bias=False), nn.Linear(z.width, z.width, bias=False)
        self.fc1, self.fc2 = nn.Linear(z.width, 4 * z.width, bias=False), nn.Linear(4 * z.width, z.width, bias=False)

    def forward(self, x):
        """x [B, T, width] -> [B, T, width]"""
        x = x + self.dropped(self.out(self.attention(*self.qkv(self.norm1(x)).chunk(3, -1))))
        return x + self.dropped(self.fc2(F.gelu(self.fc1(self.norm2(x)))))

    def attention(self, *qkv):
        q, k, v = (rows.unflatten(-1, (self.z.heads, -1)).transpose(1, 2) for rows in qkv)
        rows = F.scaled_dot_product_attention(q, k, v, is_causal=True, dropout_p=self.z.dropout if self.training else 0.0)
        return rows.transpose(1, 2).flatten(2)

    def dropped(self, x):
        return F.dropout(x, self.z.dropout, self.training)


class Gpt(nn.Module):
    def __init__(self, z: Recipe):
        super().__init__()
        self.z = z
        self.embed, self.pos = nn.Embedding(VOCAB, z.width), nn.Embedding(z.block, z.width)
        self.blocks = nn.ModuleList(Block(z) for _ in range(z.layers))
        self.norm = nn.LayerNorm(z.width, bias=False)
        for p in self.parameters():
            if p.dim() == 2:
                nn.init.normal_(p, std=0.02)
        for block in self.blocks:  # what adds to the residual stream
            for linear in (block.out, block.fc2):
                nn.init.normal_(linear.weight, std=0.02 / math.sqrt(2 * z.layers))

    def forward(self, tokens):
        """tokens [B, T] -> logits [B, T, 256] of the byte after each."""
        x = self.embed(tokens) + self.pos.weight[: tokens.shape[1]]
        x = F.dropout(x, self.z.dropout, self.training)
        for block in self.blocks:
            x = block(x)
        return F.linear(self.norm(x), self.embed.weight)


def split(text: bytes):
    """Training and validation bytes, 90 and 5 percent, as fade cuts them."""
    train, valid = len(text) * 90 // 100, len(text) * 95 // 100
    tokens = torch.frombuffer(bytearray(text), dtype=torch.uint8)
    return tokens[:train], tokens[train:valid]


def crops(tokens, z: Recipe, random):
    """Endless (tokens, targets), both [B, T], from random places."""
    while True:
        at = torch.randint(len(tokens) - z.block, (z.batch, 1), generator=random)
        rows = tokens[at + torch.arange(z.block + 1)].long()
        yield rows[:, :-1], rows[:, 1:]


@torch.no_grad()
def bits_per_byte(model, tokens, stride: int):
    """(bits per byte, bytes predicted) of all tokens but the first: each once, by the first window that has it."""
    T, count, nats = model.z.block, len(tokens) - 1, 0.0
    starts = torch.tensor([*range(0, count - T, stride), count - T])  # the last one ends with the text
    first_new = torch.cat([torch.tensor([0]), starts[:-1] + T]) - starts  # position in the window
    model.eval()
    counted = 0
    for at, new in zip(starts.split(64), first_new.split(64)):
        rows = tokens[at[:, None] + torch.arange(T + 1)].long()
        counts = torch.arange(T) >= new[:, None]
        loss = F.cross_entropy(model(rows[:, :-1]).flatten(0, 1), rows[:, 1:].flatten(), reduction="none")
        nats += loss[counts.flatten()].double().sum().item()
        counted += int(counts.sum())
    model.train()
    return nats / counted / math.log(2), counted


class Budget:
    """The length of a run, and how much of it is used."""

    def __init__(self, args):
        self.steps, self.cpu_s, self.wall_s = 0, 0.0, 0.0
        self.limits = {"steps": args.steps, "cpu_s": args.cpu_seconds, "wall_s": args.minutes and 60 * args.minutes}

    def used(self) -> float:
        """The share, from 0 to 1."""
        return max(getattr(self, name) / limit for name, limit in self.limits.items() if limit)

    def count(self, step):
        """Calls a step and counts its time."""
        cpu, wall = time.process_time(), time.perf_counter()
        step()
        self.cpu_s, self.wall_s = self.cpu_s + time.process_time() - cpu, self.wall_s + time.perf_counter() - wall
        self.steps += 1


def optimizer_for(model):
    matrices = [p for p in model.parameters() if p.dim() == 2]
    gains = [p for p in model.parameters() if p.dim() == 1]
    groups = [{"params": matrices, "weight_decay": 0.1}, {"params": gains, "weight_decay": 0.0}]
    return torch.optim.AdamW(groups, betas=(0.9, 0.99), fused=True)


def train(z: Recipe, args) -> dict:
    torch.set_num_threads(args.threads)
    keep_freed_memory()
    torch.manual_seed(z.seed)
    training, validation = split(Path(args.text).read_bytes())
    if min(len(training), len(validation)) < z.block + 2:
        raise SystemExit(f"{args.text}: its validation split has {len(validation)} bytes, --block {z.block} needs {z.block + 2}")
    model, budget = Gpt(z), Budget(args)
    forward, optimizer = torch.compile(model, dynamic=False) if args.compile else model, optimizer_for(model)
    batches = crops(training, z, torch.Generator().manual_seed(z.seed))

    def gradients():
        tokens, targets = next(batches)
        optimizer.zero_grad(set_to_none=True)
        F.cross_entropy(forward(tokens).flatten(0, 1), targets.flatten()).backward()

    def step():
        rate = min((budget.steps + 1) / z.warmup, 1) * (0.55 + 0.45 * math.cos(math.pi * budget.used()))
        for group in optimizer.param_groups:
            group["lr"] = z.lr * rate
        gradients()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0, foreach=True)
        optimizer.step()

    gradients()  # not counted: allocates, and compiles
    on_the_way, stride = [], args.stride or z.block // 2
    while budget.used() < 1:
        budget.count(step)
        if budget.used() >= (len(on_the_way) + 1) / 4 and len(on_the_way) < 3:
            on_the_way.append(round(bits_per_byte(model, validation, stride)[0], 4))
    bits, count = bits_per_byte(model, validation, stride)
    result = asdict(z) | {"parameters": sum(p.numel() for p in model.parameters()), "steps": budget.steps}
    result |= {"readings": round(budget.steps * z.batch * z.block / len(training), 2), "quarters": on_the_way}
    result |= {"bits_per_byte": round(bits, 4), "bytes": count, "stride": stride}
    result |= {"cpu_s": round(budget.cpu_s, 1), "wall_s": round(budget.wall_s, 1), "threads": args.threads}
    return result | {"mode": "compiled" if args.compile else "eager"} | machine()


def run(z: Recipe, args) -> dict:
    """A run in a process of its own, whose time is its time."""
    command = [sys.executable, __file__, args.text, "--threads", str(args.threads)]
    for name, value in [*asdict(z).items(), *((name, getattr(args, name)) for name in ("minutes", "cpu_seconds", "steps", "stride"))]:
        command += [f"--{name.replace('_', '-')}", str(value)] if value is not None else []
    done = subprocess.run(command + ["--compile"] * args.compile, stdout=subprocess.PIPE, text=True)
    if done.returncode:
        raise SystemExit(f"failed: {' '.join(command)}")
    print(done.stdout, end="", flush=True)
    return json.loads(done.stdout)


def sweep(z: Recipe, args):
    """Coordinate descent: of each option, its value so far and those given, with the best of the options before it."""
    results = {}
    for name, values in args.sweep:
        tried = [z, *(replace(z, **{name: value}) for value in values if value != getattr(z, name))]
        new = [t for t in tried if t not in results]
        with ThreadPoolExecutor(args.jobs) as pool:
            results |= zip(new, pool.map(run, new, itertools.repeat(args)))
        z = min(tried, key=lambda t: results[t]["bits_per_byte"])


def swept(word: str):
    """NAME=V1,V2,.. -> (NAME, values)"""
    name, _, values = word.partition("=")
    kinds = {f.name: type(f.default) for f in fields(Recipe)}
    if name not in kinds:
        raise argparse.ArgumentTypeError(f"{word}: options are {', '.join(kinds)}")
    try:
        return name, [kinds[name](value) for value in values.split(",")]
    except ValueError:
        raise argparse.ArgumentTypeError(f"{word}: give {name}=VALUE,VALUE,.. of type {kinds[name].__name__}") from None


def parse_arguments():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("text", metavar="TEXT", help="any file")
    length = p.add_mutually_exclusive_group(required=True)
    length.add_argument("--minutes", type=float, help="of wall time")
    length.add_argument("--cpu-seconds", type=float, metavar="S", help="of all threads together")
    length.add_argument("--steps", type=int)
    p.add_argument("--sweep", nargs="+", type=swept, metavar="NAME=V1,V2,..", help="try the values of one option after the other")
    p.add_argument("--jobs", type=int, default=1, help="runs of a sweep at a time (1)")
    p.add_argument("--threads", type=int, default=1, help="of each run (1)")
    p.add_argument("--stride", type=int, help="validation: new positions in each window (half a block)")
    p.add_argument("--compile", action="store_true", help="torch.compile instead of eager")
    recipe = p.add_argument_group("the model and its training")
    for f in fields(Recipe):
        recipe.add_argument("--" + f.name, type=type(f.default), default=f.default, help=f"({f.default})")
    args = p.parse_args()
    if not all(getattr(args, name) is None or getattr(args, name) > 0 for name in ("minutes", "cpu_seconds", "steps")):
        p.error("--minutes, --cpu-seconds, --steps: give a number above 0")
    if args.width % args.heads:
        p.error(f"--width {args.width}: give a multiple of --heads ({args.heads})")
    smallest = min([args.block, *(value for name, values in args.sweep or [] if name == "block" for value in values)])
    if args.stride and not 1 <= args.stride <= smallest:
        p.error(f"--stride {args.stride}: give 1 to --block ({smallest})")
    return args


def main():
    args = parse_arguments()
    z = Recipe(**{f.name: getattr(args, f.name) for f in fields(Recipe)})
    if args.sweep:
        sweep(z, args)
    else:
        print(json.dumps(train(z, args)))


if __name__ == "__main__":
    main()
