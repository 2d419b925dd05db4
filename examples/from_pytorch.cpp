// The program of docs/from_pytorch.md, which has the same in PyTorch: a network with an operation of its own learns
// XOR. Both print the same numbers.
#include <cmath>
#include <cstdio>
#include <vector>

#include "engine/gradcheck.h"
#include "engine/tape.h"
#include "nn/layers.h"
#include "nn/optimizer.h"
#include "ops/elementwise/elementwise.h"
#include "ops/reduce/reduce.h"

using namespace fade;

// y = x², recorded as an operation of its own.   dx = 2·g·x.   Saves x.
enum Saved : int { kX };

void square_rule(BackwardCtx& ctx) { ctx.add(0, ctx.grad() * ctx.saved(kX) * 2.0); }

constexpr OpDef kSquare{"square", square_rule};

Tensor square(const Tensor& x) {
  Tensor y;
  {
    const NoGrad off;  // the product is no operation of the tape
    y = x * x;
  }
  record(kSquare, y, {&x}, {&x});  // inputs, and what the rule reads
  return y;
}

// Two layers: [N, 2] → [N, 1].
struct Net {
  Parameters parameters{DType::f64, Device::cpu};
  Generator random{1};
  Linear fc1{parameters, "fc1", 2, 4, true, random};
  Linear fc2{parameters, "fc2", 4, 1, true, random};

  Tensor operator()(const Tensor& x) const { return fc2(tanh(fc1(x))); }
};

int main() {
  const Tensor x = Tensor::from(std::vector<double>{0, 0, 0, 1, 1, 0, 1, 1}, {4, 2});
  const Tensor y = Tensor::from(std::vector<double>{0, 1, 1, 0}, {4, 1});
  const Net net;
  for (const Parameter& p : net.parameters.all()) {  // the same initial values in both programs
    std::vector<double> values;
    for (int i = 1; i <= p.value().numel(); ++i) values.push_back(std::sin(i));
    p.value().copy_from(Tensor::from(values, p.value().shape()));
  }
  gradcheck([](const std::vector<Tensor>& in) { return square(in[0]); }, {x + y});

  Optimizer adam({.lr = 0.05}, net.parameters);
  for (int step = 0; step <= 100; ++step) {
    const Recording on;
    const Tensor loss = mean(square(net(x) - y));
    net.parameters.zero_grad();
    backward(loss);
    adam.step();
    if (step % 20 == 0) std::printf("step %3d  loss %.5f\n", step, loss.item());
  }
}
