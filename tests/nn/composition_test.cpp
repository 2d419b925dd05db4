// A model composed of layers, as a user of the library writes one: it learns, has names, is saved and loaded,
// and moves to another device and type. And what can be done wrong.
#include <boost/test/unit_test.hpp>
#include <cmath>

#include "engine/gradcheck.h"
#include "engine/tape.h"
#include "nn/layers.h"
#include "nn/optimizer.h"
#include "nn/parameters_file.h"
#include "ops/elementwise/elementwise.h"
#include "ops/reduce/reduce.h"
#include "tests/ops/op_checks.h"
#include "tests/support.h"

namespace fade {
namespace {

using test::available_devices, test::contains, test::error_of, test::refusal, test::TempDir;

// Two layers on words: [N] → [N, 1].
struct Mlp {
  Parameters parameters;
  Generator random;
  Embedding words{parameters, "words", 5, 8, random};
  Linear fc1{parameters, "fc1", 8, 16, true, random};
  LayerNorm norm{parameters, "norm", 16};
  Linear fc2{parameters, "fc2", 16, 1, true, random};

  explicit Mlp(uint64_t seed = 1, DType dtype = DType::f32, Device device = Device::cpu)
      : parameters(dtype, device), random(seed) {}

  Tensor operator()(const Tensor& tokens) const { return fc2(tanh(norm(fc1(words(tokens))))); }
};

Tensor tokens(Device device = Device::cpu) {
  return Tensor::from(std::vector<int32_t>{0, 1, 2, 3, 4}, {5}).to(device);
}

Tensor loss_of(const Mlp& model) {
  const Tensor target = Tensor::from(std::vector<float>{1, -1, 0.5, 2, 0}, {5, 1});
  const Parameter& any = model.parameters.all().front();
  const Tensor error = model(tokens(any.leaf.device())) - target.to(any.leaf.dtype()).to(any.leaf.device());
  return mean(error * error);
}

std::vector<double> results(const Mlp& model) {
  return model(tokens(model.parameters.all().front().leaf.device())).to(DType::f64).to_vector<double>();
}

void train(Mlp& model, int steps) {
  Optimizer adam({.lr = 0.01}, model.parameters);
  for (int i = 0; i < steps; ++i) {
    const Recording on;
    backward(loss_of(model));
    adam.step();
    model.parameters.zero_grad();
  }
}

}  // namespace

BOOST_AUTO_TEST_SUITE(composition)

BOOST_AUTO_TEST_CASE(parameters_have_names_in_the_order_of_the_members) {
  const Mlp model;
  std::string names;
  for (const Parameter& p : model.parameters.all()) names += p.name + p.value().shape().str() + ' ';
  BOOST_TEST(names ==
             "words.weight[5,8] fc1.weight[16,8] fc1.bias[16] "
             "norm.weight[16] norm.bias[16] fc2.weight[1,16] fc2.bias[1] ");
  BOOST_TEST(model.parameters.count() == 40 + 128 + 16 + 32 + 16 + 1);
}

BOOST_AUTO_TEST_CASE(it_learns_on_every_device) {
  for (const Device device : available_devices()) {
    Mlp model(1, DType::f32, device);
    const double before = loss_of(model).item();
    train(model, 100);
    BOOST_TEST(before > 0.5);
    BOOST_TEST(loss_of(model).item() < 0.01);
  }
}

BOOST_AUTO_TEST_CASE(its_gradients_are_right) {
  const Mlp model(1, DType::f64);
  gradcheck([&](const auto&) { return model(tokens()); }, model.parameters.leaves());
}

BOOST_AUTO_TEST_CASE(it_is_saved_and_loaded) {
  const TempDir dir;
  Mlp model;
  train(model, 3);
  save_parameters(dir.path("mlp.safetensors"), model.parameters, {{"task", "words"}});
  for (const Device device : available_devices()) {
    const Mlp loaded(2, DType::f32, device);
    BOOST_TEST(results(loaded) != results(model));
    BOOST_TEST(load_parameters(dir.path("mlp.safetensors"), loaded.parameters).at("task") == "words");
    if (device == Device::cpu)
      BOOST_TEST(results(loaded) == results(model), boost::test_tools::per_element());
    else
      BOOST_TEST(test::largest_difference(results(loaded), results(model)) < 1e-5);
  }
}

BOOST_AUTO_TEST_CASE(it_moves_to_another_device_and_type) {
  Mlp model;
  train(model, 3);
  for (const Device device : available_devices()) {
    const Mlp moved(2, DType::f64, device);
    moved.parameters.copy_from(model.parameters);
    BOOST_TEST(test::largest_difference(results(moved), results(model)) < 1e-5);
    const Mlp back;
    back.parameters.copy_from(moved.parameters);
    BOOST_TEST(results(back) == results(model), boost::test_tools::per_element());
  }
}

BOOST_AUTO_TEST_CASE(a_file_that_does_not_fit_changes_nothing) {
  const TempDir dir;
  const std::string file = dir.path("mlp.safetensors");
  const Mlp model;
  const std::vector<double> before = results(model);
  const auto refused = [&](const std::vector<NamedTensor>& tensors, const char* wanted) {
    save_safetensors(file, {.tensors = tensors, .metadata = {}, .content_hash = {}});
    const std::string error = refusal([&] { load_parameters(file, model.parameters); });
    BOOST_TEST(error.starts_with(file + ": "), error);
    BOOST_TEST(contains(error, wanted), error);
    BOOST_TEST(results(model) == before, boost::test_tools::per_element());
  };
  std::vector<NamedTensor> tensors = named_values(Mlp(2).parameters);
  refused({tensors.begin(), tensors.end() - 1}, "tensor fc2.bias is missing");
  std::vector<NamedTensor> more = tensors;
  more.push_back({"fc3.bias", Tensor::zeros({1})});
  refused(more, "tensor fc3.bias is not a parameter of this model (another kind, size or norm?)");
  std::vector<NamedTensor> other = tensors;
  other.back().tensor = Tensor::zeros({2});
  refused(other, "fc2.bias has shape [2], the model needs [1]");
  other.back().tensor = Tensor::zeros({1}, DType::i32);
  refused(other, "fc2.bias is a tensor of i32, needs f32, f64 or bf16");
  other.back().tensor = Tensor::full({1}, std::nan(""));
  refused(other, "fc2.bias [1]: nan at element 0; 1 of 1 elements are not finite (use a file from before");
  BOOST_TEST(contains(refusal([&] { load_parameters(dir.path("none"), model.parameters); }), "none"));
}

BOOST_AUTO_TEST_CASE(misuse) {
  Mlp model;
  const Tensor x = Tensor::zeros({3, 7});
  const auto with = [&](const OptimizerConfig& config) {
    return error_of([&] { Optimizer(config, model.parameters); });
  };
  const auto scalar = [] { Parameters().add("scale", {}); };
  const auto again = [&] { Linear(model.parameters, "fc1", 2, 2, true, model.random); };
  const auto early = [&] { Optimizer({}, model.parameters).step(); };
  const auto late = [&] {
    Optimizer adam({}, model.parameters);
    model.parameters.add("late", {1});
    adam.step();
  };
  const auto narrower = [&] {
    Parameters p;
    p.add("late", {2});
    Parameters q;
    q.add("late", {3});
    p.copy_from(q);
  };
  const std::pair<std::string, const char*> table[] = {
      {error_of([&] { model.fc1(x); }),
       "fc1: the input has shape [3,7], the layer needs [.., 8] (Linear 8 -> 16)"},
      {error_of(scalar), "parameters: scale has no dimension, needs one (a single number has shape {1})"},
      {error_of(again), "parameters: fc1.weight was added twice (give each layer a path of its own)"},
      {error_of([&] { model.parameters.find("fc1.w"); }),
       "parameters: the model has none called fc1.w "
       "(it has words.weight, fc1.weight, fc1.bias, norm.weight, .. and 3 more)"},
      {error_of([] { Parameters().find("w"); }),
       "parameters: the model has none called w (it has no parameters: make its layers first)"},
      {error_of([&] { Parameters().copy_from(model.parameters); }),
       "parameters: 7 of a model with 0 (build both models from the same layers)"},
      {error_of(narrower),
       "parameters: late is [3] in the other model, [2] here (build both from the same layers)"},
      {error_of(early),
       "optimizer: no parameter has a gradient (call backward on a loss before step, zero_grad after it)"},
      {error_of(late),
       "optimizer: 8 parameter tensors, 7 when it was made (make the optimizer after all layers)"},
      {with({.lr = -1}), "optimizer: lr is -1 (needs 0 or more)"},
      {with({.beta1 = 1}), "optimizer: beta1 is 1 (needs 0 <= beta1 < 1)"},
      {with({.eps = 0}), "optimizer: eps is 0 (needs more than 0)"},
      {with({.momentum = std::nan("")}), "optimizer: momentum is nan (needs 0 <= momentum < 1)"},
      {with({.weight_decay = INFINITY}), "optimizer: weight_decay is inf (needs 0 or more)"},
  };
  for (const auto& [error, wanted] : table) BOOST_TEST(error == wanted);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace fade
