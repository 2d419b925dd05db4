#include "train/follow.h"

#include "train/interrupt.h"
#include "train/report.h"

namespace fade {

void follow(Trainer& trainer) {
  const SignalsIgnored ignored;  // rank 0 gets them, too, and decides
  for (;;) try {
      switch (trainer.ranks().broadcast(Order::end)) {
        case Order::step:
          trainer.step();
          break;
        case Order::validate:
          trainer.validate();
          break;
        case Order::report:
          trainer.ranks().take_part([&] { report_on(trainer); });
          break;
        case Order::state:
          trainer.state();
          break;
        case Order::restore:
          trainer.restore({});
          break;
        case Order::set_steps:
          trainer.set_steps(0);
          break;
        case Order::run:
        case Order::end:
          return;
      }
    } catch (const Error&) {
    } catch (const Interrupted&) {
    }
}

Leading::~Leading() {
  ranks_.broadcast(Order::end);
  ranks_.others_know();
}

}  // namespace fade
