#include "models/step.h"

#include "engine/tape.h"
#include "ops/elementwise/elementwise.h"
#include "ops/reduce/reduce.h"

namespace fade {

Tensor StepReport::mean_span() const {
  const NoGrad off;
  Tensor sum;
  for (const Tensor& layer : spans) sum = sum ? sum + mean(layer) : mean(layer);
  return sum ? sum * (1 / static_cast<double>(spans.size())) : sum;
}

}  // namespace fade
