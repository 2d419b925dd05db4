// The autodiff engine in a few lines: a parameter, a recording, a loss, a gradient.
#include <iostream>

#include "engine/tape.h"
#include "ops/elementwise/elementwise.h"
#include "ops/reduce/reduce.h"

using namespace fade;

int main() {
  Tensor w = Tensor::full({3}, 2.0).set_requires_grad();  // a parameter
  {
    Recording on;                    // from here on, operations are recorded on a tape
    Tensor loss = sum(w * w * 0.5);  // forward
    backward(loss);                  // one reverse loop over the tape
  }
  std::cout << w.grad() << '\n';  // d(w²/2)/dw = w
}
