#include "train/forward_backward.h"

#include "ops/cross_entropy/cross_entropy.h"
#include "ops/elementwise/elementwise.h"

namespace fade {

BlockLoss forward_backward(const Transformer& model, Tape& tape, const Tensor& tokens, const Tensor& targets,
                           Memory& memory, const StepOptions& options) {
  const Recording on(tape);
  StepReport report;
  const Tensor loss = cross_entropy(model.forward(tokens, memory, options, report), targets);
  backward(report.aux ? loss + report.aux : loss);
  return {loss, report.aux, report.mean_span()};
}

}  // namespace fade
