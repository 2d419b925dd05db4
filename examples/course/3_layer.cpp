// Chapter 3: a transformer layer, written out with operations. docs/course/3_layer.md
#include "engine/tape.h"
#include "examples/course/course.h"
#include "nn/layers.h"
#include "nn/optimizer.h"
#include "ops/cross_entropy/cross_entropy.h"
#include "ops/elementwise/elementwise.h"
#include "ops/embedding/embedding.h"
#include "ops/layout/layout.h"
#include "ops/matmul/matmul.h"
#include "ops/reduce/reduce.h"
#include "ops/relative_position/relative_position.h"
#include "ops/softmax/softmax.h"

using namespace fade;

constexpr int64_t B = 8, T = 6, H = 8, V = 4;  // texts, positions, size of a row, tokens

struct Model {
  Parameters parameters{DType::f64, Device::cpu};
  Generator random{1};
  Embedding tokens{parameters, "tokens", V, H, random}, positions{parameters, "positions", T, H, random};
  Linear query{parameters, "query", H, H, false, random}, key{parameters, "key", H, H, false, random};
  Linear value{parameters, "value", H, H, false, random}, mix{parameters, "mix", H, H, false, random};
  LayerNorm norm1{parameters, "norm1", H}, norm2{parameters, "norm2", H};
  FeedForward ff{parameters, "ff", H, 2 * H, random};
  Linear out{parameters, "out", H, V, true, random};
};

struct Result {
  Tensor logits, weights;  // [B·T, V], [B, 1, T, T]
};
Result forward(const Model& m, const Tensor& x, const Tensor& age, const Tensor& visible) {
  const auto head = [](const Tensor& rows) { return reshape(rows, {B, 1, T, H}); };  // one head
  const Tensor q = head(m.query(x)), k = head(m.key(x)), v = head(m.value(x));
  const Tensor by_distance = matmul(q, m.positions.weight, {.b = true});  // [B, 1, T, T]
  const Tensor scores = matmul(q, k, {.b = true}) + relative_position(by_distance, age);
  const Tensor weights = softmax_where(scores * (1 / std::sqrt(H)), visible);
  const Tensor read = m.mix(reshape(matmul(weights, v), {-1, H}));
  const Tensor y = m.norm1(x + read);
  return {m.out(m.norm2(y + m.ff(y, {}))), weights};
}

// Of the positions that have a token two before them.
Tensor loss_of(const Tensor& logits, const Tensor& targets) {
  return cross_entropy(reshape(slice(reshape(logits, {B, T, V}), 1, 2, T), {-1, V}), targets);
}

void print_tape(const Tape& tape) {
  fmt::print("-- the tape of one layer\n");
  for (size_t i = 0; i < tape.size(); ++i) {
    size_t bytes = 0;
    for (const Node::Saved& saved : tape.node(i).saved) bytes += saved.tensor ? saved.tensor.size_bytes() : 0;
    fmt::print("{:2} {:<18} saved {:4}\n", i, tape.node(i).op->name, bytes);
  }
}

void print_weights(const Tensor& weights) {  // of the first text
  for (int64_t i = 0; i < T * T; ++i)
    fmt::print("{:.2f}{}", weights.data<double>()[i], i % T == T - 1 ? "\n" : " ");
}

int main() {
  // Random texts. The target is the token two positions earlier.
  std::vector<int32_t> text, target, ages;
  std::vector<double> sees;
  for (int64_t b = 0; b < B; ++b)
    for (int64_t t = 0; t < T; ++t) {
      text.push_back(static_cast<int32_t>(V * uniform_f64({7, 0}, text.size())));
      if (t >= 2) target.push_back(text[text.size() - 3]);
      ages.push_back(static_cast<int32_t>(-t));  // from row t to position 0
      for (int64_t row = 0; row < T; ++row) sees.push_back(row < t ? 1 : 0);
    }
  const Tensor tokens = Tensor::from(text, {B * T}), targets = Tensor::from(target, {B * (T - 2)}),
               age = Tensor::from(ages, {B, T}), visible = values({B, T, T}, sees);

  const Model m;
  Optimizer adam({.lr = 0.01}, m.parameters);
  Tape tape;
  const Recording on(tape);
  Tensor x = embedding(m.tokens.weight, tokens).detach().set_requires_grad();
  const Result first = forward(m, x, age, visible);
  print_tape(tape);
  fmt::print("-- weights, untrained\n");
  print_weights(first.weights);
  backward(sum(slice(first.logits, 0, 3, 4)));
  fmt::print("-- rows that the result at position 3 depends on:");
  for (int64_t t = 0; t < T; ++t)
    if (x.grad().data<double>()[t * H] != 0) fmt::print(" {}", t);
  fmt::print("\n-- training\n");
  for (int step = 1; step <= 300; ++step) {
    const Result r = forward(m, embedding(m.tokens.weight, tokens), age, visible);
    const Tensor loss = loss_of(r.logits, targets);
    if (step == 1 || step % 100 == 0) fmt::print("step {:3}: loss {:.4f}\n", step, loss.item());
    if (step == 300) print_weights(r.weights);
    m.parameters.zero_grad();
    backward(loss);
    adam.step(1);
  }
}
