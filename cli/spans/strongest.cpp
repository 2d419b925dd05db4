// The strongest rows of every query, from the weights of composed attention.
#include <algorithm>
#include <numeric>

#include "cli/spans/reading.h"
#include "engine/parallel.h"
#include "train/evaluate.h"

namespace fade {
namespace {

// The same model with composed attention, which has weights to look at.
std::unique_ptr<Transformer> composed(const Transformer& model) {
  ModelConfig config = model.config();
  config.attention = AttentionPath::composed;
  auto copy = std::make_unique<Transformer>(config, model.dtype(), model.device(), 0);
  const std::vector<Parameter>&from = model.parameters().all(), &to = copy->parameters().all();
  for (size_t i = 0; i < from.size(); ++i) to[i].value().copy_from(from[i].value());
  return copy;
}

// The distance by which StrongestRows names the row or slot at `distance` from a query of a block of n.
int32_t distance_name(const ModelConfig& model, int64_t distance, int64_t n) {
  const int64_t past_gap = distance - model.max_span - n - 1;
  const bool slot = model.kind == Kind::compressive && past_gap >= 0;
  return static_cast<int32_t>(slot ? model.max_span + 1 + past_gap / model.compress.rate : distance);
}

// The strongest rows of the queries of one block and layer: weights [1, K, n, L], ages [1, L].
void take_strongest(const ModelConfig& model, const Tensor& weights, const Tensor& ages, int count,
                    int32_t* distance, float* weight) {
  const int64_t K = weights.size(1), n = weights.size(2), L = weights.size(3);
  const std::vector<float> w = weights.to(DType::f32).to(Device::cpu).to_vector<float>();
  const std::vector<int32_t> age = ages.to(Device::cpu).to_vector<int32_t>();
  parallel_row_ranges(n, K * L, [&](int64_t begin, int64_t end) {
    std::vector<float> mean(static_cast<size_t>(L));
    std::vector<int32_t> order(mean.size());
    for (int64_t i = begin; i < end; ++i) {
      std::ranges::fill(mean, 0.f);
      for (int64_t h = 0; h < K; ++h)
        for (int64_t j = 0; j < L; ++j)
          mean[static_cast<size_t>(j)] += w[static_cast<size_t>((h * n + i) * L + j)] / static_cast<float>(K);
      std::iota(order.begin(), order.end(), 0);
      const auto place = [&](int32_t j) { return static_cast<size_t>(j); };
      const auto stronger = [&](int32_t a, int32_t b) {
        return mean[place(a)] != mean[place(b)] ? mean[place(a)] > mean[place(b)]
                                                : age[place(a)] < age[place(b)];
      };
      const int64_t most = std::min<int64_t>(count, L);
      std::ranges::partial_sort(order, order.begin() + most, stronger);
      for (int64_t k = 0; k < most; ++k) {
        const size_t j = place(order[static_cast<size_t>(k)]);
        if (mean[j] <= 0) break;
        distance[i * count + k] = distance_name(model, age[j] + i, n);
        weight[i * count + k] = mean[j];
      }
    }
  });
}

}  // namespace

StrongestRows strongest_rows(const Transformer& model, std::span<const uint8_t> text, int count) {
  const std::unique_ptr<Transformer> readable = composed(model);
  const auto layers = static_cast<int64_t>(model.config().layers), bytes = static_cast<int64_t>(text.size());
  const auto size = static_cast<size_t>(layers * bytes * count);
  StrongestRows rows{
      .count = count, .distance = std::vector<int32_t>(size), .weight = std::vector<float>(size)};
  int64_t layer = 0, begin = 0;
  evaluate(*readable, with_end(text), "the text",
           {.on_weights =
                [&](const Tensor& weights, const Tensor& ages) {
                  const auto at = static_cast<size_t>((layer++ * bytes + begin) * count);
                  take_strongest(model.config(), weights, ages, count, &rows.distance[at], &rows.weight[at]);
                },
            .on_block =
                [&](const EvalBlock& block) {
                  begin += static_cast<int64_t>(block.length);
                  layer = 0;
                }});
  return rows;
}

}  // namespace fade
