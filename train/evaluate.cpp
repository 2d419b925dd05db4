#include "train/evaluate.h"

#include <algorithm>
#include <numbers>

#include "engine/tape.h"
#include "ops/softmax/softmax.h"
#include "train/data/streams.h"

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
  const Streams streams = eval_streams(text, options.streams, name);
  const size_t B = streams.count, block = static_cast<size_t>(model.config().block);
  std::vector<int32_t> tokens(B * block), targets(tokens.size());
  Memory memory = model.empty_memory(options.streams);

  EvalResult result{.bytes = static_cast<int64_t>(B * streams.stride), .streams = options.streams};
  double total_bits = 0, rows = 0;
  std::optional<double> spans;
  int64_t blocks = 0;
  for (size_t offset = 0; offset < streams.stride; offset += block, ++blocks) {
    const size_t n = std::min(block, streams.stride - offset);
    streams.read(offset, n, tokens, targets);
    const auto in = std::span<const int32_t>(tokens).first(B * n),
               want = std::span<const int32_t>(targets).first(B * n);
    StepReport report;
    const Tensor x = Tensor::from(in, {options.streams, static_cast<int64_t>(n)}).to(model.device());
    const Tensor logits = model.forward(
        x, memory, {.forget = options.forget, .window = options.window, .on_weights = options.on_weights},
        report);
    memory.drop_forgotten();
    const std::vector<double> bits = bits_of(logits, want);
    for (const double b : bits) total_bits += b;
    rows += memory.mean_rows();
    if (const Tensor span = report.mean_span())
      spans = spans.value_or(0) + span.item() * static_cast<double>(n);
    if (options.on_block) options.on_block({n, offset, streams.stride, in, want, bits, logits, report});
  }
  result.bits_per_byte = total_bits / static_cast<double>(result.bytes);
  result.mean_rows = rows / static_cast<double>(blocks);
  if (spans) result.mean_span = *spans * options.streams / static_cast<double>(result.bytes);
  return result;
}

}  // namespace fade
