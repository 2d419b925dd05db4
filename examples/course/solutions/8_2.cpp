// Chapter 8, exercise 2: spans at 0 do not come back when the price is lowered.
//
// A span of 0 has its ramp at distances 1 to R, so attention still pulls at it. But de/dz = e·(1 − e/S) is
// about e: the closer a span is to 0, the less its logit feels. What helps is to set the spans' parameters to
// their initial values.
#include "examples/course/course.h"
#include "examples/course/small_run.h"
#include "nn/init.h"
#include "train/trainer.h"

using namespace fade;

/// Trains `steps` steps; returns the mean span of the last one.
double train(Trainer& trainer, int steps) {
  double span = 0;
  for (int i = 0; i < steps; ++i) span = *trainer.step().mean_span;
  return span;
}

int main() {
  Config config = small_run(0.1, 8);
  config.train.schedule.kind = ScheduleKind::constant;
  const Corpus corpus(config.data);
  Trainer dear(config, corpus);
  const double at_first = train(dear, 100);

  config.model.span.loss = 0;
  Trainer lowered(config, corpus);
  lowered.restore(dear.state());
  const double after_lowering = train(lowered, 100);

  for (const Parameter& p : lowered.model().parameters().all()) {
    if (p.name.ends_with("span.weight")) init_constant(p.value(), 0);
    if (p.name.ends_with("span.bias")) init_constant(p.value(), -std::log(1 / config.model.span.init - 1));
  }
  const double after_reset = train(lowered, 100);

  fmt::print("mean span after 100 steps at a price of 0.1:    {:.2f}\n", at_first);
  fmt::print("after 100 more at a price of 0:                 {:.2f}\n", after_lowering);
  fmt::print("100 steps after the spans' parameters were reset: {:.2f}\n", after_reset);
  expect(at_first < 0.1, "at a price of 0.1 all spans go to 0");
  expect(after_lowering < 0.1, "at a price of 0 they stay there");
  expect(after_reset > 1, "from their initial values they find lengths of their own");
}
