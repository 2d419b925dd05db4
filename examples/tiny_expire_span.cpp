// A model that learns what to forget, in one file: a corpus, one Expire-Span layer written out with
// operations, its memory, and the training loop. A few seconds on one core.
//
//   tiny_expire_span [STEPS]     default: 4000
//
// The text is noise with a few facts: "B5" says that B is 5. Some time later "?B" asks, and 5 is the answer:
//
//   hgB5aacfD0hbdaeghcabbcfgahe?D0c?B5dah..
//
// To answer, the model must keep the rows of facts in memory. A row of noise is never needed again. Nothing
// says which is which: each row predicts its own span, and the gradient on the ramp does the rest.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "engine/tape.h"
#include "nn/init.h"
#include "nn/layers.h"
#include "nn/optimizer.h"
#include "ops/cross_entropy/cross_entropy.h"
#include "ops/elementwise/elementwise.h"
#include "ops/embedding/embedding.h"
#include "ops/expire_mask/expire_mask.h"
#include "ops/gather_rows/gather_rows.h"
#include "ops/layout/layout.h"
#include "ops/masked_renorm/masked_renorm.h"
#include "ops/matmul/matmul.h"
#include "ops/relative_position/relative_position.h"
#include "ops/softmax/softmax.h"
#include "ops/span_loss/span_loss.h"
#include "ops/survivors/survivors.h"

using namespace fade;
namespace {

// ---- the corpus

const std::string kTokens = "abcdefghABCDEF01234567?";  // noise, keys, values, the question mark
constexpr int kNoise = 8, kKeys = 6, kValues = 8;
enum Kind : int { noise, fact, answer, other };  // fact, answer: the value

struct Token {
  int32_t id = 0;  // its place in kTokens
  Kind kind = noise;
};

// One stream of text. It never ends.
class Text {
 public:
  explicit Text(uint64_t stream) : key_{2026, stream} {}

  Token before, now, next;  // three neighbours
  void advance() {
    if (at_ == round_.size()) write_round();
    before = std::exchange(now, std::exchange(next, round_[at_++]));
  }

 private:
  int below(int n) { return static_cast<int>(uniform(key_, drawn_++) * static_cast<float>(n)); }
  void put(int id, Kind kind) { round_.push_back({id, kind}); }
  void put_noise(int letters) {
    for (; letters > 0; --letters) put(below(kNoise), noise);
  }

  // Two facts, a wait of up to 32 letters, and a question for each fact.
  void write_round() {
    round_.clear();
    at_ = 0;
    const int first = below(kKeys), second = (first + 1 + below(kKeys - 1)) % kKeys;
    std::array<std::array<int, 2>, 2> facts{{{first, below(kValues)}, {second, below(kValues)}}};
    for (const auto [key, value] : facts) {
      put_noise(below(6));
      put(kNoise + key, other);
      put(kNoise + kKeys + value, fact);
    }
    put_noise(below(33));
    if (below(2) == 1) std::swap(facts[0], facts[1]);
    for (const auto [key, value] : facts) {
      put(kNoise + kKeys + kValues, other);
      put(kNoise + key, other);
      put(kNoise + kKeys + value, answer);
      put_noise(below(6));
    }
  }

  RngKey key_;
  uint64_t drawn_ = 0;
  std::vector<Token> round_;
  size_t at_ = 0;
};

// ---- the model

constexpr int64_t B = 16, M = 16, H = 32;  // streams, positions in a block, size of a row
constexpr int S = 64, R = 16;              // longest span, length of the ramp
constexpr double kPrice = 5e-4;            // of remembering

// The rows of earlier blocks that are remembered, one stream after the other.
struct Memory {
  Tensor rows = Tensor::zeros({0, H});                // [Nm, H] as they entered the layer
  Tensor age = Tensor::zeros({0}, DType::i32);        // [Nm] positions to the next block's first query
  Tensor start = Tensor::zeros({B + 1}, DType::i32);  // stream b has rows start[b] to start[b + 1]
};

struct Result {
  Tensor logits, price, spans;  // [B·M, V], [], [B·M]
};

struct Model {
  Parameters parameters{DType::f32, Device::cpu};
  Generator random{1};
  const int64_t vocab = std::ssize(kTokens);
  Embedding token{parameters, "token", vocab, H, random}, previous{parameters, "previous", vocab, H, random};
  Embedding position{parameters, "position", S, H, random};
  Linear query{parameters, "query", H, H, false, random}, key{parameters, "key", H, H, false, random};
  Linear value{parameters, "value", H, H, false, random}, mix{parameters, "mix", H, H, false, random};
  Linear span{parameters, "span", H, 1, true, random}, out{parameters, "out", H, vocab, true, random};
  LayerNorm norm{parameters, "norm", H};
  FeedForward ff{parameters, "ff", H, 2 * H, random};

  Model() {
    init_constant(span.weight, 0);
    init_constant(span.bias, -1);  // at first every span is S·sigmoid(-1) = 17.2
    init_scale(position.weight, 0.1);
  }

  // Reads one block of each stream: tokens [B, M], and the token before each.
  Result operator()(const Tensor& tokens, const Tensor& before, Memory& memory) const {
    const Tensor x = reshape(embedding(token.weight, tokens) + embedding(previous.weight, before), {-1, H});

    // The context: what is remembered, then the block. Padded to L rows per stream.
    const Tensor context = concat(memory.rows, x, 0);  // [N, H]
    const PackedRows rows{memory.start, context_ages(memory.age, B, M), B, M, memory.rows.size(0)};
    const PaddedRows at = pad(rows);  // index and age [B, L]

    // Every row sets its span, and with it the soft mask through which it is seen.
    const Tensor spans = reshape(sigmoid(span(context)) * S, {-1});  // [N]
    const Tensor e = gather_rows(spans, at.index);                   // [B, L]
    const Tensor m = expire_mask(e, at.age, M, R);                   // [B, M, L]
    const Tensor price = span_loss(e, at.age, M, R, kPrice);

    // Attention.
    const Tensor q = reshape(query(x), {B, 1, M, H});  // one head
    const Tensor k = reshape(gather_rows(key(context), at.index), {B, 1, -1, H});
    const Tensor v = reshape(gather_rows(value(context), at.index), {B, 1, -1, H});
    const Tensor near = relative_position(matmul(q, position.weight, {.b = true}), at.age);
    const Tensor a = softmax_where((matmul(q, k, {.b = true}) + near) * (1 / std::sqrt(H)), m);
    const Tensor w = masked_renorm(a, m);  // [B, 1, M, L]
    const Tensor y = norm(x + mix(reshape(matmul(w, v), {-1, H})));

    // Forgetting: rows that no later query can see are gone for good.
    const Survivors kept = survivors(rows, {.span = spans.detach(), .reach = R});
    const int64_t count = kept.start.to_vector<int32_t>().back();
    memory = {gather_rows_of(memory.rows, x, kept.index.rows(0, count)), kept.age.rows(0, count), kept.start};

    return {out(y + ff(y, {})), price, spans.rows(rows.memory_rows, rows.count())};
  }
};

// ---- training

// A block of each stream: position i of stream b is b·M + i.
struct Block {
  std::vector<Token> before, now, next;
  explicit Block(std::vector<Text>& texts) {
    for (Text& text : texts)
      for (int i = 0; i < M; ++i) {
        text.advance();
        before.push_back(text.before);
        now.push_back(text.now);
        next.push_back(text.next);
      }
  }
};

Tensor ids(const std::vector<Token>& tokens, const Shape& shape) {
  std::vector<int32_t> numbers;
  for (const Token& t : tokens) numbers.push_back(t.id);
  return Tensor::from(numbers, shape);
}

// Means over the blocks since the last line.
struct Report {
  int blocks = 0, right = 0;
  double loss = 0, rows = 0;
  std::array<double, 4> span{}, count{};  // by kind

  void add(const Block& block, const Result& result, const Memory& memory, double block_loss) {
    const std::vector<float> e = result.spans.to_vector<float>(), logits = result.logits.to_vector<float>();
    const size_t vocab = kTokens.size();
    for (size_t i = 0; i < e.size(); ++i) {
      span[block.now[i].kind] += e[i];
      count[block.now[i].kind] += 1;
      const std::span row(logits.data() + i * vocab, vocab);
      const auto best = std::ranges::max_element(row) - row.begin();
      right += block.next[i].kind == answer && best == block.next[i].id;
    }
    loss += block_loss;
    rows += static_cast<double>(memory.rows.size(0)) / B;
    ++blocks;
  }
  double mean_span(Kind k) const { return span[k] / std::max(count[k], 1.0); }
  void print(int step) const {
    fmt::print(
        "step {:5}  loss {:.3f}  answers {:3.0f} %  span of facts {:4.1f}, of noise {:4.1f}  rows {:.1f}\n",
        step, loss / blocks, 100 * right / std::max(count[answer], 1.0), mean_span(fact), mean_span(noise),
        rows / blocks);
    std::fflush(stdout);
  }
};

}  // namespace

int main(int argc, char** argv) {
  const int steps = argc > 1 ? std::atoi(argv[1]) : 4000;
  if (steps < 1) {
    fmt::print("tiny_expire_span: STEPS is {} (give a number above 0)\n", argv[1]);
    return 2;
  }
  std::vector<Text> texts;
  for (uint64_t b = 0; b < B; ++b) texts.emplace_back(b);
  const Model model;
  Optimizer adam({.kind = OptimizerKind::adam, .lr = 2e-3}, model.parameters);
  Memory memory;
  Report report;
  for (int step = 1; step <= steps; ++step) {
    const Block block(texts);
    const Recording on;
    const Result result = model(ids(block.now, {B, M}), ids(block.before, {B, M}), memory);
    const Tensor loss = cross_entropy(result.logits, ids(block.next, {B * M}));
    backward(loss + result.price);
    adam.step(1);
    model.parameters.zero_grad();

    report.add(block, result, memory, loss.item());
    if (step % 250 == 0 || step == steps) {
      report.print(step);
      report = {};
    }
  }
}
