#include "cli/gradients.h"

#include <algorithm>

#include "engine/tape.h"
#include "ops/cross_entropy/cross_entropy.h"
#include "ops/elementwise/elementwise.h"
#include "train/data/streams.h"

namespace fade {

TensorFile gradients(const Transformer& model, std::span<const uint8_t> bytes, int streams, int blocks) {
  const int64_t block = model.config().block, vocab = model.config().vocab;
  const size_t stride = bytes.size() / static_cast<size_t>(streams);
  if (stride < static_cast<size_t>(blocks * block) + 1)
    refuse("--tokens: {} bytes are too few: {} streams of {} blocks of {} need {}", bytes.size(), streams,
           blocks, block, streams * (blocks * block + 1));
  const auto outside = std::ranges::find_if(bytes, [&](uint8_t t) { return t >= vocab; });
  if (outside != bytes.end())
    refuse("--tokens: byte {} at offset {} is outside the vocabulary of {} (data.vocab)", *outside,
           outside - bytes.begin(), vocab);

  const Streams reader{bytes, static_cast<size_t>(streams), stride};
  std::vector<int32_t> tokens(static_cast<size_t>(streams * block)), targets(tokens.size());
  std::vector<double> losses, auxes;
  Memory memory = model.empty_memory(streams);
  const StepOptions options{.training = true};  // no source of randomness: dropout and noise are off
  model.parameters().zero_grad();
  for (int i = 0; i < blocks; ++i) {
    reader.read(static_cast<size_t>(i * block), static_cast<size_t>(block), tokens, targets);
    const Recording on;
    StepReport report;
    const Tensor x = Tensor::from(tokens, {streams, block}).to(model.device());
    const Tensor y = Tensor::from(targets, {streams * block}).to(model.device());
    const Tensor loss = cross_entropy(model.forward(x, memory, options, report), y);
    losses.push_back(loss.item());
    auxes.push_back(report.aux ? report.aux.item() : 0);
    if (i + 1 == blocks) backward(report.aux ? loss + report.aux : loss);
  }

  TensorFile out;
  const int64_t n = static_cast<int64_t>(losses.size());
  out.tensors.push_back({"loss", Tensor::from(losses, {n}).to(model.dtype())});
  out.tensors.push_back({"aux", Tensor::from(auxes, {n}).to(model.dtype())});
  for (const Parameter& p : model.parameters().all()) {
    const Tensor g = p.grad();
    out.tensors.push_back(
        {"grad." + p.name, g ? g : Tensor::zeros(p.value().shape(), model.dtype(), model.device())});
  }
  return out;
}

}  // namespace fade
