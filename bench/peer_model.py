"""Expire-Span in PyTorch, tuned: the model that peer_pytorch.py times, and its check against the golden cases.

Parameters and configuration are those of scripts/to_pytorch.py, which has the readable model. Here is a training step as a
careful user would write it: batched matrix products, one for keys and values together, the position term by pad-and-reshape, in
place where autograd allows it. Memory is padded to the same number of rows in every stream, a multiple of M, and expired rows are
masked: the usual policy, since a tensor is rectangular. PyTorch's own fused attention does not apply: the position term and the
mask need gradients.

Sizes, used in every comment below:
    B streams    M block length      L rows in a layer's context: memory, then the block itself
    H hidden     K heads             D = H / K
    V vocabulary S max_span          R ramp length      P distances with a position row
"""

import math
import sys
from dataclasses import dataclass
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import nn
from torch.nn.attention.flex_attention import create_block_mask, flex_attention

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "scripts"))

import to_pytorch

FORGOTTEN = 1e9  # age of a padding row: at this distance every mask is 0
HIDDEN_SCORE = -1e30  # finite, so that the weights of a query that sees nothing are finite; its mask makes them 0


@dataclass
class Sizes(to_pytorch.Config):
    """A configuration, with what a bench takes by default."""

    layers: int = 4
    hidden: int = 128
    ff: int = 512
    block: int = 64
    max_span: int = 0
    ramp: int = 32
    pre_div: float = 1.0
    batch: int = 16


def read_sizes(path) -> Sizes:
    """The sizes in one of fade's YAML configs."""
    import yaml

    text = Path(path).read_text()
    batch = (yaml.safe_load(text).get("train") or {}).get("batch", Sizes.batch)
    return Sizes(**vars(to_pytorch.read_config(text, path)), batch=batch)


def by_distance(term):
    """Moves a term indexed by distance to context rows: [.., M, P] whose column c is distance P - c -> [.., M, P + M].

    Query i keeps its columns at i .. i + P - 1: padding each row to P + M + 1 and reading the result in rows of P + M shifts
    row i by i places.
    """
    M, P = term.shape[-2:]
    return F.pad(term, (0, M + 1)).flatten(-2)[..., : M * (P + M)].unflatten(-1, (M, P + M))


class Layer(to_pytorch.Layer):
    def forward(self, x, memory, age, pos):
        """x [B,M,H], memory [B,L-M,H], age [B,L] -> out [B,M,H], aux [], context [B,L,H], span [B,L].

        The age of a row is its distance to the block's first query: 0, -1, .. inside the block.
        """
        context = torch.cat([memory, x.detach()], 1)
        rows, asking = (self.norm1(memory), self.norm1(x)) if self.pre_norm else (memory, x)
        mask, aux, span = self.mask(rows, asking, age)
        y = x + self.attention(rows, asking, mask, pos)
        if self.pre_norm:
            out = y + self.feed_forward(self.norm2(y))
        else:
            y = self.norm1(y)
            out = self.norm2(y + self.feed_forward(y))
        return out, aux, context, span.detach()

    def feed_forward(self, x):
        return self.ff.fc2(F.relu_(self.ff.fc1(x)))

    def mask(self, memory, block, age):
        """m_ij [B,M,L] in [0,1], zero where row j is not before query i; the layer's auxiliary loss; the spans e_j [B,L]."""
        z, (B, M, _) = self.attn.z, block.shape
        query = torch.arange(M, device=age.device, dtype=age.dtype)[:, None]
        w, b = self.attn.span.weight / z.pre_div, self.attn.span.bias
        span = z.max_span * torch.sigmoid(torch.cat([F.linear(memory, w, b), F.linear(block, w, b)], 1)).squeeze(-1)
        ramp = ((span - age) / z.ramp + 1)[:, None, :] - query / z.ramp  # r_ij / R + 1
        on_ramp = (ramp.detach() > 0) & (ramp.detach() < 1)  # never a row at or after its query: there r > 0
        aux = torch.where(on_ramp, ramp - 1, 0).sum() * (z.span_loss / (M * B))
        before = torch.ones(M, M, device=age.device, dtype=age.dtype).tril(-1)
        return ramp.clamp(0, 1) * F.pad(before, (age.shape[1] - M, 0), value=1.0), aux, span

    def project(self, memory, block):
        """memory [B,L-M,H], block [B,M,H] -> queries, divided by √D, [BK,M,D]; keys and values [BK,L,D]."""
        z = self.attn.z
        K, D = z.heads, z.hidden // z.heads
        q = self.attn.query_norm(self.attn.heads(self.attn.query(block))).flatten(0, 1) * D**-0.5  # [BK,M,D]
        # Memory and block are projected separately, so that no gradient is computed for memory rows.
        w = torch.cat([self.attn.key.weight, self.attn.value.weight])
        parts = [F.linear(rows, w).unflatten(-1, (2, K, D)).permute(2, 0, 3, 1, 4) for rows in (memory, block)]
        k, v = torch.cat(parts, 3).flatten(1, 2).unbind()
        return q, self.attn.key_norm(k), v

    def attention(self, memory, block, mask, pos):
        """memory [B,L-M,H], block [B,M,H], mask [B,M,L], pos [P,D] -> [B,M,H]."""
        z, (B, M, L) = self.attn.z, mask.shape
        K, D, P = z.heads, z.hidden // z.heads, z.positions
        q, k, v = self.project(memory, block)
        near = min(L, P + M)  # only these distances have position rows
        scores = F.pad(by_distance(q @ pos.flip(0).T)[..., P + M - near :], (L - near, 0))  # [BK,M,L]
        with torch.no_grad():  # a constant needs no place in the graph
            scores.view(B, K, M, L).add_((mask == 0)[:, None] * HIDDEN_SCORE)
        scores = scores.baddbmm_(q, k.transpose(1, 2))
        weights = torch.softmax(scores, -1).view(B, K, M, L) * mask[:, None]  # one mask for all heads
        # Divided after the product: D columns' work, not L.
        out = weights.flatten(0, 1) @ v / (weights.sum(-1).view(-1, M, 1) + to_pytorch.EPS)
        return self.attn.out(out.view(B, K, M, D).transpose(1, 2).flatten(2))


class FlexLayer(Layer):
    """With FlexAttention, which has no scores of all heads in memory: a_ij m_ij / Σ a_ij m_ij is the softmax of the scores plus
    log m_ij. (to_pytorch.EPS is left out of the sum.) It differentiates the two terms that are added, by atomic sums."""

    def prepare(self, L, device):
        """For L context rows: which blocks of scores have a row before a query."""
        M = self.attn.z.block
        self.before = create_block_mask(lambda b, h, i, j: j < L - M + i, None, None, M, L, device=device)

    def attention(self, memory, block, mask, pos):
        (B, M, L), P, K = mask.shape, pos.shape[0], self.attn.z.heads
        q, k, v = (rows.unflatten(0, (B, K)) for rows in self.project(memory, block))
        near = q @ pos.T  # [B,K,M,P], of distance 1 to P
        # Where m_ij is 0 it is -inf already: a tile of the mask beside those of the two terms would not fit in shared memory.
        log_mask = torch.where(mask > 0, torch.where(mask > 0, mask, 1).log(), -math.inf)

        def score(s, b, h, i, j):
            distance = L - M + i - j
            return s + log_mask[b, i, j] + torch.where(distance <= P, near[b, h, i, (distance - 1).clamp(0, P - 1)], 0)

        out = flex_attention(q, k, v, score_mod=score, block_mask=self.before, scale=1.0)
        return self.attn.out(out.transpose(1, 2).flatten(2))


class Model(to_pytorch.Transformer):
    layer = Layer

    def __init__(self, z: Sizes, initial_span=0.1):
        super().__init__(z)
        for layer in self.layers:
            nn.init.zeros_(layer.attn.span.weight)
            nn.init.constant_(layer.attn.span.bias, -math.log(1 / initial_span - 1))
            if z.pre_norm:
                for p in (layer.attn.out.weight, layer.ff.fc2.weight, layer.ff.fc2.bias):
                    p.data.div_(math.sqrt(2 * z.layers))

    def logits(self, tokens, memory):
        """tokens [B,M]; memory: (rows, age) per layer -> logits [B,M,V], aux [], and (context, age, span) per layer."""
        x, aux, seen = self.embed(tokens), 0.0, []
        inside = -torch.arange(self.config.block, device=x.device, dtype=x.dtype).expand(tokens.shape)
        for layer, (rows, age) in zip(self.layers, memory):
            age = torch.cat([age, inside], 1)
            x, layer_aux, context, span = layer(x, rows, age, self.pos.weight)
            aux = aux + layer_aux
            seen.append((context, age, span))
        return self.out(self.norm(x) if self.config.pre_norm else x), aux, seen

    def forward(self, tokens, targets, memory):
        """tokens, targets [B,M]; memory: (rows, age) per layer -> loss [], aux [], and (context, age, span) per layer."""
        logits, aux, seen = self.logits(tokens, memory)
        return F.cross_entropy(logits.flatten(0, 1), targets.flatten()), aux, seen

    def empty_memory(self):
        like, z = self.out.weight, self.config
        return [(like.new_empty(z.batch, 0, z.hidden), like.new_empty(z.batch, 0)) for _ in self.layers]


class FlexModel(Model):
    layer = FlexLayer


@torch.no_grad()
def forget(context, age, span, z: Sizes):
    """The memory of the next block: rows [B,N,H] and ages [B,N], N the same multiple of M for every stream.

    The newest block stays complete and in place, because the position term relies on it. Of the older rows, a stream keeps those that
    can still be seen, and is padded at the front to the length of the longest stream.
    """
    M, age = z.block, age + z.block
    live = span + z.ramp > age
    age = torch.where(live, age, FORGOTTEN)
    older = age.shape[1] - M
    keep = math.ceil(int(live[:, :older].sum(1).max()) / M) * M if older else 0
    if keep == older:
        return context, age
    order = live[:, :older].to(torch.uint8).argsort(dim=1, stable=True)  # dead rows first, then live ones in order
    order = order[:, older - keep :]
    order = torch.cat([order, torch.arange(older, older + M, device=order.device).expand(order.shape[0], M)], 1)
    return context.gather(1, order[..., None].expand(-1, -1, z.hidden)), age.gather(1, order)


def worst_error(found, expected):
    """Largest difference, relative to the largest entry of the expected tensor."""
    return float((found - expected).abs().max() / expected.abs().max().clamp_min(1e-300))


def check_golden(path, tolerance=1e-9) -> bool:
    from safetensors.torch import load_file

    z, case = read_sizes(path.with_suffix(".yaml")), load_file(path)
    model = Model(z).double()
    model.load_state_dict({k.removeprefix("weight."): v for k, v in case.items() if k.startswith("weight.")})
    tokens = case["tokens"].long().view(z.batch, -1)
    memory, errors = model.empty_memory(), {}
    for n in range(len(case["loss"])):
        block = tokens[:, n * z.block : (n + 1) * z.block + 1]
        loss, aux, seen = model(block[:, :-1], block[:, 1:], memory)
        model.zero_grad()
        (loss + aux).backward()
        memory = [forget(*layer, z) for layer in seen]
        errors[f"loss {n}"] = worst_error(loss.detach(), case["loss"][n])
        errors[f"aux {n}"] = worst_error(aux.detach(), case["aux"][n])
    errors |= {f"grad {name}": worst_error(p.grad, case["grad." + name]) for name, p in model.named_parameters()}
    worst = max(errors, key=errors.get)
    passed = errors[worst] <= tolerance
    print(f"{'ok  ' if passed else 'FAIL'} {path.stem}: {len(errors)} values, worst relative error {errors[worst]:.1e} ({worst})")
    return passed


def check_goldens(folder) -> bool:
    paths = [p for p in sorted(Path(folder).glob("*.safetensors")) if read_sizes(p.with_suffix(".yaml")).kind == "expire_span"]
    return all([check_golden(p) for p in paths]) and bool(paths)
