// Chapter 8, exercise 1: the value of aux, predicted from the price and the ramp alone.
//
// A row passes its ramp once: R queries meet it with a remaining span of about −1/2, −3/2, .., −(R − 1/2),
// and the sum is −R²/2. In the long run as many rows pass per block as are written, M. So aux is about
// price/(R·M)·M·(−R²/2) = −price·R/2 per layer.
#include "examples/course/course.h"
#include "examples/course/small_run.h"
#include "train/trainer.h"

using namespace fade;

int main() {
  for (const double price : {1e-4, 1e-2})
    for (const int ramp : {4, 16}) {
      const Config config = small_run(price, ramp);
      const Corpus corpus(config.data);
      Trainer trainer(config, corpus);
      double aux = 0, span = 0;  // means over the steps 41 to 80
      while (trainer.steps_done() < 80) {
        const Trainer::Step s = trainer.step();
        if (trainer.steps_done() > 40) aux += s.aux / 40, span += *s.mean_span / 40;
      }
      const double predicted = -price * ramp / 2 * config.model.layers;
      fmt::print("price {:g}, ramp {}: spans of {:.1f}, aux {:.6f}, predicted {:.6f}\n", price, ramp, span,
                 aux, predicted);
      expect(close(aux / predicted, 1, 0.1), "within 10 %");
    }
}
