#include "train/generate.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "engine/tape.h"
#include "train/data/corpus.h"

namespace fade {
namespace {

// A sample from softmax(logits / temperature) among the k likeliest bytes; u is uniform on [0, 1).
int32_t sample(const std::vector<double>& logits, const GenerateOptions& options, double u) {
  const auto likeliest = std::ranges::max_element(logits);
  if (options.temperature <= 0) return static_cast<int32_t>(likeliest - logits.begin());
  std::vector<int32_t> bytes(logits.size());
  std::iota(bytes.begin(), bytes.end(), 0);
  if (const auto k = static_cast<size_t>(options.top_k); k > 0 && k < bytes.size()) {
    std::ranges::stable_sort(bytes, std::greater{}, [&](int32_t i) { return logits[i]; });
    bytes.resize(k);
  }
  std::vector<double> weight;
  for (const int32_t i : bytes) weight.push_back(std::exp((logits[i] - *likeliest) / options.temperature));
  double left = u * std::accumulate(weight.begin(), weight.end(), 0.0);
  for (size_t k = 0; k < bytes.size(); ++k)
    if ((left -= weight[k]) < 0) return bytes[k];
  return bytes[static_cast<size_t>(std::ranges::max_element(weight) - weight.begin())];  // u is rounded to 1
}

}  // namespace

void generate(const Transformer& model, std::string_view prompt, const GenerateOptions& options,
              const std::function<void(char)>& emit) {
  const NoGrad off;
  Memory memory = model.empty_memory(1);
  const RngKey key{options.seed, 0};

  std::vector<double> logits;  // [V]: of the byte after the last one read
  const auto read = [&](std::span<const int32_t> block) {
    StepReport report;
    const int64_t n = static_cast<int64_t>(block.size());
    const Tensor y = model.forward(Tensor::from(block, {1, n}).to(model.device()), memory,
                                   {.frozen = true, .forget_late = true}, report);
    memory.drop_forgotten();
    logits = y.rows(n - 1, n).to(DType::f64).to_vector<double>();
    for (const double x : logits)
      if (!std::isfinite(x)) fail("the model's prediction holds {} (a damaged or diverged model)", x);
  };

  // Without a prompt, a newline comes first, or the last byte of a vocabulary that has none.
  const char start = static_cast<char>(std::min<int64_t>('\n', model.config().vocab - 1));
  const std::string_view text = prompt.empty() ? std::string_view(&start, 1) : prompt;
  const std::span bytes(reinterpret_cast<const uint8_t*>(text.data()), text.size());
  check_vocabulary(bytes, model.config().vocab, options.prompt_name);
  std::ranges::for_each(prompt, emit);
  const std::vector<int32_t> tokens(bytes.begin(), bytes.end());
  const size_t M = model.config().block;
  for (size_t i = 0; i < tokens.size(); i += M)
    read(std::span(tokens).subspan(i, std::min(M, tokens.size() - i)));
  for (int64_t i = 0; i < options.bytes; ++i) {
    const int32_t token = sample(logits, options, uniform_f64(key, static_cast<uint64_t>(i)));
    emit(static_cast<char>(token));
    if (i + 1 < options.bytes) read({&token, 1});
  }
}

}  // namespace fade
