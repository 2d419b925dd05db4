#include "cli/explain/span_gradient.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <numeric>
#include <optional>
#include <string_view>

#include "engine/observe.h"
#include "ops/span_attention/mask.h"
#include "train/data/streams.h"
#include "train/forward_backward.h"

namespace fade {
namespace {

template <class Items, class Value>
double total(const Items& items, const Value& value) {
  double sum = 0;
  for (const auto& item : items) sum += std::invoke(value, item);
  return sum;
}

/// What the nodes save for backward, in their order.
enum SavedByLinearRows : int { kMemory, kBlock, kWeight };
enum SavedByExpireMask : int { kSpan, kAge };
enum SavedByMaskedRenorm : int { kA, kM, kDen };

/// Reads, while a block is recorded and walked back, the terms of one row's span gradient in every layer.
class SpanReader final : public TapeObserver {
 public:
  /// What a layer knows of the row after backward.
  struct Found {
    double span = 0, hidden_norm = 0, logit_without_bias = 0;  ///< |h| and w·h
    BlockTerms terms = {};
    double tape = 0;  ///< the tape's gradient of e
  };

  SpanReader(const Tape& tape, int ramp, int64_t row, int64_t first)
      : tape_(tape), ramp_(ramp), first_(first), age_(static_cast<int32_t>(first - row)) {}

  void on_output(const OpDef& op, size_t node, const Tensor& /*out*/,
                 std::initializer_list<const Tensor*> /*inputs*/) override {
    const std::string_view name = op.name;
    if (name == "row_dots") layers_.push_back({.predictor = node});  // w·h
    if (name == "expire_mask") layers_.back().mask = node;
    if (name == "masked_renorm") layers_.back().weights = node;
  }

  /// `gradient` is complete when the last of the tensor's consumers, in the order of backward, has shown it.
  void on_gradient(const OpDef& /*op*/, size_t node, int input, const Tensor& gradient) override {
    const uint32_t slot = tape_.node(node).inputs[input];
    for (Layer& layer : layers_) {
      if (slot == tape_.node(layer.weights).output) layer.g = gradient;
      if (node == layer.mask) read_span(layer, gradient);
      if (node != layer.weights || !layer.g) continue;
      read_weights(layer);
      layer.g = {};  // the largest tensor: it need not wait for the other layers
    }
  }

  /// Per layer; nothing where memory has lost the row. After backward.
  std::vector<std::optional<Found>> take() {
    std::vector<std::optional<Found>> found;
    for (Layer& layer : layers_) found.push_back(std::move(layer.found));
    return found;
  }

 private:
  struct Layer {
    size_t predictor, mask = 0, weights = 0;  ///< nodes
    Tensor g = {};                            ///< gradient of w [1, K, n, L]
    std::optional<Found> found = {};
  };

  const double* saved(size_t node, int i) const {
    return tape_.node(node).saved[i].tensor.template data<double>();
  }
  const Shape& shape(size_t node, int i) const { return tape_.node(node).saved[i].tensor.shape(); }

  /// The row among those of the layer's context, by its age; −1 when it is not there.
  int64_t find(const Layer& layer) const {
    const Tensor& ages = tape_.node(layer.mask).saved[kAge].tensor;
    const int32_t *begin = ages.data<int32_t>(), *end = begin + ages.numel();
    const int32_t* const at = std::find(begin, end, age_);
    return at == end ? -1 : at - begin;
  }

  /// The queries of the block that meet the row on its ramp, and their terms.
  void read_weights(Layer& layer) const {
    const int64_t j = find(layer);
    if (j < 0) return;
    const Shape& sizes = shape(layer.weights, kA);
    const int64_t K = sizes[1], n = sizes[2], L = sizes[3];
    const double *a = saved(layer.weights, kA), *m = saved(layer.weights, kM),
                 *den = saved(layer.weights, kDen), *g = layer.g.data<double>(),
                 e = saved(layer.mask, kSpan)[j];
    const MaskFormula<double> mask(MaskKind::expiring, &e, ramp_);
    const QueryRange fading = mask.fading_queries(age_, e, {0, static_cast<int32_t>(n) - 1});
    layer.found = Found{.span = e};
    BlockTerms& terms = layer.found->terms;
    terms.first = first_;
    terms.length = n;
    terms.fading = std::max(0, fading.last - fading.first + 1);
    for (int64_t i = 0; i < n; ++i) {
      const int64_t distance = age_ + i;
      const auto query = static_cast<int32_t>(i);
      if (!mask.reaches(age_, query) || !mask.on_ramp(e, static_cast<double>(distance))) continue;
      QueryTerm& term = terms.queries.emplace_back();
      term.position = first_ + i;
      term.distance = distance;
      term.remaining = e - static_cast<double>(distance);
      term.mask = m[i * L + j];
      term.slope = mask.slope_in_reach(age_, e, query) * mask.inverse_ramp;
      for (int64_t h = 0; h < K; ++h) {
        const int64_t row = h * n + i, at = row * L;
        const auto faded = [&](int64_t k) { return a[at + k] * m[i * L + k] / den[row]; };
        double mean_gradient = 0;
        for (int64_t k = 0; k < L; ++k) mean_gradient += g[at + k] * faded(k);
        term.heads.push_back({.weight = a[at + j],
                              .faded = faded(j),
                              .den = den[row],
                              .gradient = g[at + j],
                              .mean_gradient = mean_gradient});
      }
    }
  }

  /// The row's hidden state and span; `gradient` is that of all spans of the layer [1, L], complete.
  void read_span(Layer& layer, const Tensor& gradient) const {
    const int64_t j = find(layer);
    if (j < 0 || !layer.found) return;
    const int64_t memory_rows = shape(layer.predictor, kMemory)[0], H = shape(layer.predictor, kMemory)[1];
    const double *h = j < memory_rows ? saved(layer.predictor, kMemory) + j * H
                                      : saved(layer.predictor, kBlock) + (j - memory_rows) * H,
                 *weight = saved(layer.predictor, kWeight);
    layer.found->hidden_norm = std::sqrt(std::inner_product(h, h + H, h, 0.0));
    layer.found->logit_without_bias = std::inner_product(h, h + H, weight, 0.0);
    layer.found->tape = gradient.data<double>()[j];
  }

  const Tape& tape_;
  const int ramp_;
  const int64_t first_;  ///< of the block
  const int32_t age_;    ///< of the row, in this block
  std::vector<Layer> layers_;
};

/// True iff the layer still holds a row of this age.
bool holds(const LayerMemory& memory, int64_t age) {
  const std::vector<int32_t> ages = memory.age.to_vector<int32_t>();
  return std::ranges::find(ages, static_cast<int32_t>(age)) != ages.end();
}

/// Adds what was found in one block to what is known of the row in a layer.
void add(const SpanReader::Found& found, const Transformer& model, SpanGradient& to) {
  const ModelConfig& c = model.config();
  to.span = found.span;
  const Tensor bias = model.parameters().find(fmt::format("layers.{}.attn.span.bias", to.layer)).value();
  to.logit = found.logit_without_bias / c.span.pre_div + bias.item();
  to.slope = found.span * (1 - found.span / c.max_span);
  to.hidden_norm = found.hidden_norm / c.span.pre_div;
  to.tape += found.tape;
  if (found.terms.queries.empty()) return;
  to.blocks.push_back(found.terms);
  to.blocks.back().push = c.span.loss / static_cast<double>(c.span.ramp * found.terms.length);
}

}  // namespace

double QueryTerm::direct() const { return slope * total(heads, &HeadTerm::direct); }
double QueryTerm::renormalisation() const { return slope * total(heads, &HeadTerm::renormalisation); }
double BlockTerms::direct() const { return total(queries, &QueryTerm::direct); }
double BlockTerms::renormalisation() const { return total(queries, &QueryTerm::renormalisation); }
double SpanGradient::direct() const { return total(blocks, &BlockTerms::direct); }
double SpanGradient::renormalisation() const { return total(blocks, &BlockTerms::renormalisation); }
double SpanGradient::auxiliary() const { return total(blocks, &BlockTerms::auxiliary); }
double SpanGradient::d_weight_norm() const { return std::abs(d_logit()) * hidden_norm; }
size_t SpanGradient::queries() const {
  size_t count = 0;
  for (const BlockTerms& block : blocks) count += block.queries.size();
  return count;
}

std::vector<SpanGradient> span_gradients(const Transformer& model, const Bytes& text, const std::string& name,
                                         int64_t row) {
  const ModelConfig& c = model.config();
  if (c.kind != Kind::expire_span || c.attention != AttentionPath::composed || c.recompute ||
      model.dtype() != DType::f64)
    fail(
        "span_gradients: needs model.kind expire_span, model.attention composed, model.recompute false and dtype f64");
  if (text.size() < 2)
    refuse("{}: {} bytes, and at least 2 are needed: a row and the byte that it helps to predict", name,
           text.size());
  const int64_t end = static_cast<int64_t>(text.size()) - 1;  // the last byte is a target only
  if (row < 0 || row >= end)
    refuse("--row {}: {} has rows 0 to {} (its last byte is predicted, but never read)", row, name, end - 1);

  std::vector<SpanGradient> layers(static_cast<size_t>(c.layers));
  for (size_t l = 0; l < layers.size(); ++l) layers[l].layer = static_cast<int>(l);
  const Streams stream{text, 1, text.size()};
  Memory memory = model.empty_memory(1);
  Tape tape;
  for (int64_t first = 0; first < end; first += c.block) {
    const int64_t n = std::min<int64_t>(c.block, end - first);
    std::vector<int32_t> bytes(static_cast<size_t>(n)), next(bytes.size());
    stream.read(static_cast<size_t>(first), bytes.size(), bytes, next);
    const Tensor tokens = Tensor::from(bytes, {1, n}), targets = Tensor::from(next, {n});

    // Until its own block has told the row's spans, the row may be on its ramp in any layer; afterwards where
    // the distance of the block's last query says so (and a position more, for rounding), in memory.
    bool on_ramp = first + n > row;
    if (first > row) {
      bool alive = false;
      on_ramp = false;
      for (size_t l = 0; l < layers.size(); ++l) {
        if (!holds(memory[l], first - row)) continue;
        alive = true;
        on_ramp |= layers[l].span < static_cast<double>(first + n - row);
      }
      if (!alive) break;
    }
    if (!on_ramp) {
      const NoGrad off;
      StepReport report;
      model.forward(tokens, memory, {}, report);
    } else {
      SpanReader reader(tape, c.span.ramp, row, first);
      const Observing observing(tape, reader);
      const BlockLoss block = forward_backward(model, tape, tokens, targets, memory, {.training = true});
      model.parameters().zero_grad();
      if (!std::isfinite(block.loss.item()))
        fail("the model's predictions of {} are not numbers (a damaged or diverged model)", name);
      const auto found = reader.take();
      for (size_t l = 0; l < layers.size(); ++l)
        if (found[l]) add(*found[l], model, layers[l]);
    }
    memory.drop_forgotten();
  }
  for (SpanGradient& layer : layers)
    layer.outlives_text = layer.span + c.span.ramp > static_cast<double>(end - row);
  return layers;
}

}  // namespace fade
