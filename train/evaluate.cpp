#include "train/evaluate.h"

#include <numbers>

#include "engine/tape.h"
#include "ops/softmax/softmax.h"
#include "train/data/streams.h"

namespace fade {
namespace {

// bits[i] = −log2 softmax(logits[i])[targets[i]], for logits [B·n, V]
void bits_of(const Tensor& logits, std::span<const int32_t> targets, std::vector<double>& bits) {
  const Tensor log_p = log_softmax(logits).to(Device::cpu);
  const int64_t V = logits.size(1);
  dispatch_float(log_p.dtype(), "evaluate", [&]<class T>() {
    const T* p = log_p.data<T>();
    for (size_t i = 0; i < targets.size(); ++i)
      bits[i] = -static_cast<double>(p[static_cast<int64_t>(i) * V + targets[i]]) / std::numbers::ln2;
  });
}

}  // namespace

EvalResult evaluate(const Transformer& model, std::span<const uint8_t> text, const std::string& name,
                    const EvalOptions& options) {
  const NoGrad off;
  const int block = model.config().block;
  EvalReader reader(text, options.streams, block, name);
  std::vector<int32_t> tokens(static_cast<size_t>(options.streams) * block), targets(tokens.size());
  std::vector<double> bits(tokens.size());
  Memory memory = model.empty_memory(options.streams);

  EvalResult result{.streams = options.streams};
  double total_bits = 0, rows = 0, spans = 0;
  int64_t blocks = 0, offset = 0;
  const auto stride = static_cast<int64_t>(reader.predicted()) / options.streams;
  while (const size_t length = reader.next(tokens, targets)) {
    const size_t count = length * static_cast<size_t>(options.streams);
    const std::span<const int32_t> in = std::span(tokens).first(count),
                                   want = std::span(targets).first(count);
    StepReport report;
    const Tensor x = Tensor::from(in, {options.streams, static_cast<int64_t>(length)}).to(model.device());
    const Tensor logits = model.forward(x, memory, {.forget = options.forget}, report);
    memory.drop_forgotten();
    bits_of(logits, want, bits);
    for (size_t i = 0; i < count; ++i) total_bits += bits[i];
    result.bytes += static_cast<int64_t>(count);
    rows += memory.mean_rows();
    if (const Tensor span = report.mean_span()) spans += span.item() * static_cast<double>(length);
    ++blocks;
    if (options.on_block)
      options.on_block({static_cast<int64_t>(length), offset, stride, in, want, std::span(bits).first(count),
                        logits, report});
    offset += static_cast<int64_t>(length);
  }
  result.bits_per_byte = total_bits / static_cast<double>(result.bytes);
  result.mean_rows = rows / static_cast<double>(blocks);
  result.mean_span = spans * options.streams / static_cast<double>(result.bytes);
  return result;
}

}  // namespace fade
