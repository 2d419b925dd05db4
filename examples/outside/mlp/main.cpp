// A small network learns y = sin(x) from 64 points: two layers, 500 steps of Adam.
#include <fade/nn.h>

#include <cmath>
#include <cstdio>
#include <vector>

using namespace fade;

int main() {
  std::vector<float> points, values;
  for (int i = 0; i < 64; ++i) {
    points.push_back(static_cast<float>(i) / 10 - 3.2f);
    values.push_back(std::sin(points.back()));
  }
  const Tensor x = Tensor::from(points, {64, 1}), y = Tensor::from(values, {64, 1});

  Generator random(1);
  Parameters parameters(DType::f32, Device::cpu);
  const Linear hidden(parameters, "hidden", 1, 32, true, random);
  const Linear output(parameters, "output", 32, 1, true, random);
  Optimizer adam({.lr = 0.01}, parameters);

  for (int step = 0; step <= 500; ++step) {
    Recording on;
    const Tensor error = output(tanh(hidden(x))) - y;
    const Tensor loss = mean(error * error);
    parameters.zero_grad();
    backward(loss);
    if (step % 100 == 0) std::printf("step %3d  loss %.5f\n", step, loss.item());
    adam.step(1);
  }
}
