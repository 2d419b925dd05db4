// Chapter 1: a tape. A line a·x + b is fitted to three points. docs/course/1_tape.md
#include "engine/tape.h"

#include <fmt/format.h>

#include "examples/course/course.h"
#include "ops/elementwise/elementwise.h"
#include "ops/reduce/reduce.h"

using namespace fade;

// The mean squared error of the line a·x + b.
Tensor error_of(const Tensor& a, const Tensor& b, const Tensor& x, const Tensor& y) {
  const Tensor e = x * a + b - y;  // [3]; a and b are broadcast
  return mean(e * e);
}

void print_tape(const Tape& tape) {
  const auto slot = [](uint32_t s) { return s == kNoSlot ? "-" : fmt::to_string(s); };
  for (size_t i = 0; i < tape.size(); ++i) {
    const Node& n = tape.node(i);
    std::string inputs;
    for (int k = 0; k < n.input_count; ++k) inputs += ' ' + slot(n.inputs[k]);
    fmt::print("node {}: {:<5} inputs{:<5} output {}  saved {}\n", i, n.op->name, inputs, n.output,
               n.saved_count);
  }
}

int main() {
  const Tensor x = values({3}, {1, 2, 3}), y = values({3}, {3, 5, 7});  // points of the line 2·x + 1
  Tensor a = values({}, {0}).set_requires_grad();
  Tensor b = values({}, {0}).set_requires_grad();

  fmt::print("-- one recording\n");
  Tape tape;
  const Recording on(tape);
  Tensor loss = error_of(a, b, x, y);
  show("loss", loss);
  print_tape(tape);
  backward(loss);
  show("a.grad", a.grad());
  show("b.grad", b.grad());
  fmt::print("nodes left on the tape: {}\n", tape.size());

  fmt::print("-- a second recording: gradients add up until they are set to zero\n");
  backward(error_of(a, b, x, y));
  show("a.grad", a.grad());

  fmt::print("-- gradient descent\n");
  for (int step = 1; step <= 200; ++step) {
    a.zero_grad();
    b.zero_grad();
    loss = error_of(a, b, x, y);
    backward(loss);
    for (const Tensor& p : {a, b}) p.mutate<double>()[0] -= 0.1 * p.grad().item();
    if (step == 1 || step % 50 == 0)
      fmt::print("step {:3}: loss {:.6f}, a {:.4f}, b {:.4f}\n", step, loss.item(), a.item(), b.item());
  }
}
