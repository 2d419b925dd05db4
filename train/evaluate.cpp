#include "train/evaluate.h"

#include <algorithm>
#include <array>
#include <numbers>

#include "engine/tape.h"
#include "ops/softmax/softmax.h"
#include "train/data/streams.h"
#include "train/interrupt.h"

namespace fade {
namespace {

// bits[i] = −log2 softmax(logits[i])[targets[i]], for logits [B·n, V]
std::vector<double> bits_of(const Tensor& logits, std::span<const int32_t> targets) {
  std::vector<double> bits(targets.size());
  const Tensor log_p = log_softmax(logits).to(Device::cpu);
  const int64_t V = logits.size(1);
  dispatch_float(log_p.dtype(), "evaluate", [&]<class T>() {
    const T* p = log_p.data<T>();
    for (size_t i = 0; i < targets.size(); ++i)
      bits[i] = -static_cast<double>(p[static_cast<int64_t>(i) * V + targets[i]]) / std::numbers::ln2;
  });
  return bits;
}

}  // namespace

EvalResult evaluate(const Transformer& model, const Bytes& text, const std::string& name,
                    const EvalOptions& options) {
  const NoGrad off;
  const Ranks& ranks = options.ranks;
  const Share own = ranks.share(options.streams);
  Streams streams;
  ranks.together([&] { streams = eval_streams(text, options.streams, name); });
  streams.count = static_cast<size_t>(own.count);
  streams.first = static_cast<size_t>(own.first);
  const size_t b = streams.count, block = static_cast<size_t>(model.config().block);
  std::vector<int32_t> tokens(b * block), targets(tokens.size());
  Memory memory = model.empty_memory(own.count);

  // Sums over this rank's streams and the blocks; then over ranks.
  enum : size_t { kBits, kRows, kSpans, kHasSpans, kSums };
  std::array<double, kSums> sums{};
  int64_t blocks = 0;
  for (size_t offset = 0; offset < streams.stride; offset += block, ++blocks) {
    if (ranks.any(options.stop && options.stop())) {
      ranks.others_know();
      throw Interrupted();
    }
    const size_t n = std::min(block, streams.stride - offset);
    ranks.together([&] { streams.read(offset, n, tokens, targets); });
    if (b == 0) continue;
    const auto in = std::span<const int32_t>(tokens).first(b * n),
               want = std::span<const int32_t>(targets).first(b * n);
    StepReport report;
    const Tensor x = Tensor::from(in, {own.count, static_cast<int64_t>(n)}).to(model.device());
    const Tensor logits = model.forward(x, memory,
                                        {.frozen = true,
                                         .forget = options.forget,
                                         .window = options.window,
                                         .on_weights = options.on_weights},
                                        report);
    memory.drop_forgotten();
    const std::vector<double> bits = bits_of(logits, want);
    for (const double of_byte : bits) sums[kBits] += of_byte;
    sums[kRows] += memory.mean_rows() * static_cast<double>(b);
    if (const Tensor span = report.mean_span()) {
      sums[kSpans] += span.item() * static_cast<double>(n * b);
      sums[kHasSpans] = 1;
    }
    if (options.on_block)
      options.on_block({n, offset, streams.stride, streams.first, in, want, bits, logits, report});
  }
  ranks.sum(sums);
  EvalResult result{.bytes = static_cast<int64_t>(streams.stride) * options.streams,
                    .streams = options.streams};
  const auto bytes = static_cast<double>(result.bytes);
  result.bits_per_byte = sums[kBits] / bytes;
  result.mean_rows = sums[kRows] / static_cast<double>(blocks * options.streams);
  if (sums[kHasSpans] > 0) result.mean_span = sums[kSpans] / bytes;
  return result;
}

}  // namespace fade
