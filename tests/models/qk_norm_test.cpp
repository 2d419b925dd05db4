// model.qk_norm: queries and keys are normalised in every kind of attention, on both of its paths.
#include <boost/test/unit_test.hpp>
#include <cmath>

#include "cli/gradients.h"
#include "nn/init.h"
#include "tests/models/model_support.h"
#include "tests/ops/op_checks.h"

namespace fade::test {
namespace {

std::vector<std::pair<const char*, ModelConfig>> models() {
  auto all = windowed_models();
  all.emplace_back("expire_span", small_model());
  for (auto& [name, config] : all) config.qk_norm = true;
  return all;
}

// With spans and gains of their own; the weights of queries and keys are multiplied by `factor`.
std::unique_ptr<Transformer> varied_model(const ModelConfig& config, Device device, double factor = 1) {
  auto model = std::make_unique<Transformer>(config, DType::f64, device, 3);
  vary_spans(*model);
  uint64_t stream = 0;
  for (const Parameter& p : model->parameters().all()) {
    if (contains(p.name, "query_norm") || contains(p.name, "key_norm"))
      init_normal(p.value(), {8, stream++});
    else if (contains(p.name, ".query.") || contains(p.name, ".key."))
      init_scale(p.value(), factor);
  }
  return model;
}

// The tensors of three streams' losses and gradients whose names begin with `prefix`, one after another.
std::vector<double> training(const Transformer& model, std::string_view prefix = "") {
  std::vector<double> all;
  for (const auto& [name, t] : gradients(model, random_text(3 * 57, model.config().vocab), 3, 7).tensors) {
    if (!name.starts_with(prefix)) continue;
    const auto values = t.to_vector<double>();
    all.insert(all.end(), values.begin(), values.end());
  }
  return all;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(qk_norm)

BOOST_AUTO_TEST_CASE(both_paths_and_devices_agree) {
  for (auto [name, config] : models()) {
    const auto expected = training(*varied_model(config, Device::cpu));
    for (const Device device : available_devices())
      for (const AttentionPath path : {AttentionPath::fused, AttentionPath::composed}) {
        config.attention = path;
        BOOST_TEST(largest_difference(training(*varied_model(config, device)), expected) < kRounding,
                   name << " on " << name_of(device));
      }
  }
}

// Scores are of directions: queries and keys of sixteen times the size change them by what eps is, and those of a
// model without qk_norm entirely.
BOOST_AUTO_TEST_CASE(sizes_of_queries_and_keys_do_not_matter) {
  for (auto [name, config] : models())
    for (const AttentionPath path : {AttentionPath::fused, AttentionPath::composed}) {
      config.attention = path;
      const auto change = [](const ModelConfig& of) {
        const auto once = varied_model(of, Device::cpu), sixteen_times = varied_model(of, Device::cpu, 16);
        return std::max(largest_difference(training(*once, "loss"), training(*sixteen_times, "loss")),
                        largest_difference(training(*once, "aux"), training(*sixteen_times, "aux")));
      };
      BOOST_TEST(change(config) < 1e-4, name);
      ModelConfig without = config;
      without.qk_norm = false;
      BOOST_TEST(change(without) > 1e-2, name);
    }
}

BOOST_AUTO_TEST_CASE(forgetting_changes_no_prediction) {
  ModelConfig config = small_model();
  config.qk_norm = true;
  const auto model = varied_model(config, Device::cpu);
  const auto text = random_text(203, config.vocab);
  BOOST_TEST(largest_difference(bits_of_each_byte(*model, text, {.streams = 2}),
                                bits_of_each_byte(*model, text, {.streams = 2, .forget = false})) <
             kRounding);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace fade::test
