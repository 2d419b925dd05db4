#include "cli/gradients.h"

#include "engine/tape.h"
#include "train/data/corpus.h"
#include "train/data/streams.h"
#include "train/forward_backward.h"

namespace fade {

TensorFile gradients(const Transformer& model, std::span<const uint8_t> bytes, int streams, int blocks) {
  const int64_t block = model.config().block;
  const size_t stride = bytes.size() / static_cast<size_t>(streams);
  if (stride < static_cast<size_t>(blocks * block) + 1)
    refuse("--tokens: {} bytes are too few: {} streams of {} blocks of {} need {}", bytes.size(), streams,
           blocks, block, streams * (blocks * block + 1));
  check_vocabulary(bytes, model.config().vocab, "--tokens");

  const Streams reader{bytes, static_cast<size_t>(streams), stride};
  std::vector<int32_t> tokens(streams * block), targets(tokens.size());
  std::vector<double> losses, auxes;
  Memory memory = model.empty_memory(streams);
  Tape tape;
  for (int i = 0; i < blocks; ++i) {
    reader.read(i * block, block, tokens, targets);
    model.parameters().zero_grad();  // the gradient is the last block's alone
    // Without a source of randomness dropout and noise are off.
    const BlockLoss result = forward_backward(
        model, tape, Tensor::from(tokens, {streams, block}).to(model.device()),
        Tensor::from(targets, {streams * block}).to(model.device()), memory, {.training = true});
    losses.push_back(result.loss.item());
    auxes.push_back(result.aux ? result.aux.item() : 0);
    memory.drop_forgotten();
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
