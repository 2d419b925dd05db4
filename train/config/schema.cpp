#include "train/config/schema.h"

#include <fmt/format.h>

#include <algorithm>

#include "train/config/suggestion.h"

namespace fade {

namespace {

// A key and the member of Config that holds it have the same path. FADE_KEY makes both from one spelling, the
// member's: its name as text, and a function that returns a reference to it.
#define FADE_KEY(member) #member, Field(+[](Config& c) -> decltype((c.member)) { return c.member; })

// Upper limits lie far above anything trained so far: they catch typos before allocation, not large models.
constexpr double kMillion = 1e6, kBillion = 1e9;

const std::vector<Key> keys = {
    {FADE_KEY(model.kind), "the kind of attention: see models/"},
    {FADE_KEY(model.layers), "number of layers", {1, 1024}},
    {FADE_KEY(model.hidden), "H: width of the hidden state, a multiple of model.heads", {1, 65536}},
    {FADE_KEY(model.ff), "F: width inside the feed-forward part", {1, 262144}},
    {FADE_KEY(model.heads), "K: attention heads per layer", {1, 1024}},
    {FADE_KEY(model.block), "M: bytes read per stream and block", {1, 65536}},
    {FADE_KEY(model.max_span),
     "S: the farthest a query can look back, in bytes (compressive: in exact rows, at least model.block)",
     {1, 1048576}},
    {FADE_KEY(model.pre_norm), "normalise before attention and feed-forward instead of after them"},
    {FADE_KEY(model.qk_norm),
     "divide each head's queries and keys by their root mean square, times learned gains, before the scores"},
    {FADE_KEY(model.attention),
     "fused: one operation over tiles; composed: the readable operations, with the same results"},
    {FADE_KEY(model.recompute),
     "training: keep only the input of each layer, and compute the layer again in backward: less memory, the same "
     "results, more time"},
    {FADE_KEY(model.dropout), "probability of dropping a unit in training", {0, 0.99}},
    {FADE_KEY(model.span.ramp), "R: steps over which a row fades once its span has ended", {2, 65536}},
    {FADE_KEY(model.span.loss), "weight of the auxiliary loss that shortens spans", {0, 1000}},
    {FADE_KEY(model.span.pre_div), "divisor of w·h before the span's sigmoid", {0, kMillion, true}},
    {FADE_KEY(model.span.init),
     "initial span as a fraction of model.max_span; left out, it is 0.1 (adaptive_span: 0); expire_span "
     "needs it above 0 and below 1",
     {0, 1}},
    {FADE_KEY(model.span.noisy), "training: cut all spans at a random fraction of model.max_span"},
    {FADE_KEY(model.compress.kind),
     "mean of a slot's rows, or a convolution that learns to keep what attention finds in them"},
    {FADE_KEY(model.compress.rate), "c: rows pooled into one slot, a divisor of model.block", {1, 65536}},
    {FADE_KEY(model.compress.slots), "C: slots kept", {1, 1048576}},
    {FADE_KEY(data.kind), "`file` reads data.path, `recall` makes the built-in corpus of facts and noise"},
    {FADE_KEY(data.path), "the corpus: any file, its bytes are the tokens"},
    {FADE_KEY(data.split), "percent of the corpus for training, validation and test", {0, 100}},
    {FADE_KEY(data.vocab), "V: bytes from 0 to V - 1 may occur in the corpus", {1, 256}},
    {FADE_KEY(data.recall.bytes), "length of the recall corpus", {1000, kBillion}},
    {FADE_KEY(data.recall.seed), "which recall corpus"},
    {FADE_KEY(data.recall.keys), "how many different keys facts have", {1, 16}},
    {FADE_KEY(data.recall.values), "how many different values facts have", {1, 16}},
    {FADE_KEY(data.recall.noise), "how many different letters noise has", {1, 26}},
    {FADE_KEY(data.recall.facts), "facts to be remembered at a time, at most data.recall.keys", {1, 16}},
    {FADE_KEY(data.recall.gap), "most noise bytes between two facts or two questions", {0, kMillion}},
    {FADE_KEY(data.recall.wait_min), "fewest noise bytes between facts and their questions", {1, kMillion}},
    {FADE_KEY(data.recall.wait_max), "most noise bytes between facts and their questions", {1, kMillion}},
    {FADE_KEY(train.batch), "B: streams read in parallel, a multiple of the number of ranks", {1, 65536}},
    {FADE_KEY(train.turns),
     "sets of train.batch streams that take turns, each with its memory: successive steps read other places",
     {1, 65536}},
    {FADE_KEY(train.chunk_bytes),
     "bytes, rounded up to whole blocks, that a stream reads before it goes elsewhere in the text, with an empty memory "
     "(0: all of its part)",
     {0, kBillion}},
    {FADE_KEY(train.steps), "updates of the weights (0: as many as fit into --minutes)", {0, kBillion}},
    {FADE_KEY(train.max_steps), "the most steps that --minutes chooses (0: any number)", {0, kBillion}},
    {FADE_KEY(train.unigram_init),
     "a new model predicts each byte by its frequency in the training split, and learns from there"},
    {FADE_KEY(train.input_noise),
     "training: probability that a byte of the input is read as one from a random place of its block",
     {0, 1}},
    {FADE_KEY(train.optimizer.kind), "how gradients become updates"},
    {FADE_KEY(train.optimizer.lr), "learning rate after warm-up", {0, 1000, true}},
    {FADE_KEY(train.optimizer.beta1), "adam, adamw, muon: decay of the gradient's mean", {0, 0.999999}},
    {FADE_KEY(train.optimizer.beta2),
     "adam, adamw, muon: decay of the gradient's mean square",
     {0, 0.999999}},
    {FADE_KEY(train.optimizer.eps), "adam, adamw, muon, adagrad: added to the divisor", {0, 1, true}},
    {FADE_KEY(train.optimizer.weight_decay),
     "pull of weight matrices (linear weights, embed, pos) towards zero; biases, norms, spans and ratios are left "
     "alone. Decoupled from the gradient in adamw and muon, added to it in the others",
     {0, 1000}},
    {FADE_KEY(train.optimizer.momentum), "sgd: share of the previous update that is kept", {0, 0.999999}},
    {FADE_KEY(train.optimizer.muon_momentum),
     "muon: decay of the mean gradient of weight matrices between hidden states",
     {0, 0.999999}},
    {FADE_KEY(train.schedule.kind), "learning rate after warm-up: constant, or a half cosine down to final"},
    {FADE_KEY(train.schedule.warmup), "steps of linear rise to the learning rate", {0, kBillion}},
    {FADE_KEY(train.schedule.final), "cosine: learning rate of the last step, as a fraction of lr", {0, 1}},
    {FADE_KEY(train.schedule.decay),
     "cosine: share of the steps after warm-up, the last of them, in which the learning rate falls",
     {0, 1, true}},
    {FADE_KEY(train.clip), "largest global norm of the gradient (0: unlimited)", {0, kMillion}},
    {FADE_KEY(train.accumulate), "blocks whose gradients are averaged into one update", {1, kMillion}},
    {FADE_KEY(train.eval_every), "steps between evaluations (0: only at the end)", {0, kBillion}},
    {FADE_KEY(train.eval_bytes), "bytes of the validation split read while training (0: all)", {0, 1e12}},
    {FADE_KEY(train.patience),
     "the run ends after so many evaluations in a row without a new best (0: it does not)",
     {0, kBillion}},
    {FADE_KEY(train.checkpoint_every), "steps between checkpoints (0: only at the end)", {0, kBillion}},
    {FADE_KEY(train.keep_checkpoints), "checkpoints kept: this many of the newest (0: all)", {0, kBillion}},
    {FADE_KEY(train.keep_every),
     "checkpoints kept in addition: those whose steps are multiples of this (0: none)",
     {0, kBillion}},
    {FADE_KEY(train.on_nonfinite),
     "a step whose loss or gradient is not finite ends the run, or is skipped and counted"},
    {FADE_KEY(train.log_every), "steps between lines in metrics.jsonl", {1, kBillion}},
    {FADE_KEY(train.tensorboard), "write the numbers of metrics.jsonl into a file for TensorBoard, too"},
    {FADE_KEY(device), "`auto` takes CUDA where there is one"},
    {FADE_KEY(dtype), "type of all numbers: f64 on the CPU only"},
    {FADE_KEY(precision),
     "CUDA, dtype f32: f32 multiplies matrices exactly, tf32 on tensor cores, with factors rounded to 11 bits; "
     "bf16 also keeps activations and rows of memory in bf16, and parameters in f32; the CPU computes in f32 "
     "all the same"},
    {FADE_KEY(threads),
     "CPU threads of each rank (0: one for each core that the process may use, at most OMP_NUM_THREADS; ranks on the "
     "same cores divide them)",
     {0, 4096}},
    {FADE_KEY(seed), "of initial weights, dropout, noise and data offsets"},
};

#undef FADE_KEY

}  // namespace

const std::vector<Key>& config_keys() { return keys; }

const Key* find_key(std::string_view path) {
  const auto key = std::ranges::find(keys, path, &Key::path);
  return key == keys.end() ? nullptr : &*key;
}

std::vector<std::string_view> sections_of(std::string_view path) {
  std::vector<std::string_view> sections;
  for (size_t dot = path.find('.'); dot != std::string_view::npos; dot = path.find('.', dot + 1))
    sections.push_back(path.substr(0, dot));
  return sections;
}

bool is_section(std::string_view path) {
  const std::string prefix = fmt::format("{}.", path);
  return std::ranges::any_of(keys, [&](const Key& key) { return key.path.starts_with(prefix); });
}

std::string_view last_part(std::string_view path) {
  return path.substr(path.rfind('.') + 1);  // npos + 1 is 0: the whole path
}

std::string nearest_key(std::string_view path) {
  if (path.size() > 100) return "";  // not a typo
  std::string_view best;
  size_t best_distance = misspelling_distance(last_part(path)) + 1;
  const auto consider = [&](std::string_view known) {
    // A right name in the wrong section counts as one mistake.
    const size_t distance =
        std::min(edit_distance(path, known), 1 + edit_distance(last_part(path), last_part(known)));
    if (distance >= best_distance) return;
    best_distance = distance;
    best = known;
  };
  for (const Key& key : keys) {
    for (const std::string_view section : sections_of(key.path)) consider(section);
    consider(key.path);
  }
  return std::string(best);
}

std::string names_near(std::string_view path) {
  std::string section(path.substr(0, path.rfind('.') + 1));  // with its dot
  if (!section.empty() && !is_section(section.substr(0, section.size() - 1))) section.clear();
  std::string names;
  std::string_view last;
  for (const Key& key : keys) {
    if (!key.path.starts_with(section)) continue;
    const std::string_view below = key.path.substr(section.size()), name = below.substr(0, below.find('.'));
    if (name != last) names += fmt::format("{}{}", names.empty() ? "" : ", ", name);
    last = name;
  }
  return names;
}

}  // namespace fade
