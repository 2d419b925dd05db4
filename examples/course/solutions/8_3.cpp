// Chapter 8, exercise 3: the rows in memory from the mean span.
//
// After a block, a row of span e is in memory if its distance d = 1, 2, .. to the next query is below e + R:
// about e + R − 1/2 rows for spans that are all e, and the mean over the rows if they differ.
#include "examples/course/course.h"
#include "examples/course/small_run.h"
#include "train/trainer.h"

using namespace fade;

int main() {
  for (const double price : {0.0, 1e-2})
    for (const int ramp : {2, 8, 32}) {
      const Config config = small_run(price, ramp);
      const Corpus corpus(config.data);
      Trainer trainer(config, corpus);
      while (trainer.steps_done() < 60) trainer.step();
      const EvalResult result = trainer.validate();
      const double predicted = *result.mean_span + ramp - 0.5;
      fmt::print("price {}, ramp {}: {:.1f} rows, predicted {:.1f}\n", price, ramp, result.mean_rows,
                 predicted);
      expect(close(result.mean_rows, predicted, 1), "to within one row");
    }
}
