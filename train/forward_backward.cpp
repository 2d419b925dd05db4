#include "train/forward_backward.h"

#include <cmath>
#include <optional>

#include "engine/module_scope.h"
#include "ops/cross_entropy/cross_entropy.h"
#include "ops/elementwise/elementwise.h"

namespace fade {

BlockLoss forward_backward(const Transformer& model, Tape& tape, const Tensor& tokens, const Tensor& targets,
                           Memory& memory, const StepOptions& options, GradientSum* sum) {
  const Recording on(tape);
  StepReport report;
  const auto loss_of = [&](const Tensor& logits) {
    return in_module("loss", [&] { return cross_entropy(logits, targets); });
  };
  const Tensor loss = loss_of(model.forward(tokens, memory, options, report));
  const auto total = [&] { return report.aux ? loss + report.aux : loss; };
  std::optional<GradientSum::Overlap> overlap;
  if (sum) overlap.emplace(*sum, tape);
  in_module("backward", [&] { backward(in_module("loss", total)); });
  return {loss, report.aux, report.mean_span()};
}

Tensor update(const Transformer& model, Optimizer& optimizer, std::span<const BlockLoss> blocks,
              double lr_factor, double clip, const FiniteCheck* check, GradientSum* sum) {
  const ModuleScope scope("optimizer");
  Tensor loss;  // [] Σ over blocks
  for (const BlockLoss& block : blocks) loss = loss ? loss + block.loss : block.loss;
  // 0·loss is NaN exactly when the loss is not finite: the optimizer then leaves the weights alone.
  Tensor doubt = loss * (check && !check->finding().empty() ? NAN : 0);
  if (sum) doubt = sum->finish(doubt);
  const Tensor norm = grad_norm(model.parameters().leaves()) + doubt.to(DType::f64);
  const double gradients = static_cast<double>(blocks.size()) * (sum ? sum->ranks().count() : 1);
  optimizer.step(lr_factor, {.share = 1 / gradients, .clip = clip}, norm);
  return norm;
}

}  // namespace fade
