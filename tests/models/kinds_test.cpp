// What the four kinds of attention do over time, each by its own rule: what is kept, what is forgotten, what
// learns from what. (tests/models/dynamics_test.cpp has more on Expire-Span, tests/models/golden_test.cpp the numbers.)
#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>

#include "ops/cross_entropy/cross_entropy.h"
#include "ops/elementwise/elementwise.h"
#include "tests/models/model_support.h"
#include "tests/support.h"
#include "train/trainer.h"

namespace fade {
namespace {

using Setting = std::pair<const char*, ModelConfig>;

ModelConfig of_kind(Kind kind, bool pre_norm = false) {
  ModelConfig m = test::small_model(pre_norm);
  m.kind = kind;
  m.compress = {.kind = CompressKind::mean, .rate = 4, .slots = 5};
  m.span.init = kind == Kind::adaptive_span ? 0.25 : m.span.init;
  return m;
}

std::vector<Setting> settings() {
  ModelConfig convolved = of_kind(Kind::compressive, true);
  convolved.compress.kind = CompressKind::conv;
  return {{"transformer_xl", of_kind(Kind::transformer_xl)},
          {"adaptive_span", of_kind(Kind::adaptive_span)},
          {"compressive", of_kind(Kind::compressive)},
          {"compressive, pre-norm", of_kind(Kind::compressive, true)},
          {"compressive, conv", convolved}};
}

// Sums of the same numbers in another order. Rows that adaptive_span has dropped are missing from Z, which
// the formula multiplies by 1e-8 (models/adaptive_span.md).
double tolerance(const ModelConfig& config) { return config.kind == Kind::adaptive_span ? 1e-6 : 1e-11; }

Tensor find(const Transformer& model, const std::string& name) {
  return model.parameters().find(name).value();
}

// Reads `blocks` blocks of two streams; the last one with gradients, which stay in the parameters.
StepReport read_blocks(const Transformer& model, int blocks, Memory& memory, bool of_aux) {
  const int64_t M = model.config().block;
  const auto text = test::random_text(static_cast<size_t>(2 * blocks * M), model.config().vocab);
  StepReport report;
  model.parameters().zero_grad();
  for (int i = 0; i < blocks; ++i) {
    std::vector<int32_t> tokens(text.begin() + 2 * i * M, text.begin() + 2 * (i + 1) * M);
    const Recording on;
    report = {};
    const Tensor x = Tensor::from(tokens, {2, M}), y = Tensor::from(tokens, {2 * M});
    const Tensor loss = cross_entropy(model.forward(x, memory, {.training = true}, report), y);
    if (i + 1 == blocks) backward(of_aux ? report.aux : loss);
  }
  return report;
}

double norm(const Tensor& t) {
  double sum = 0;
  if (t)
    for (const double v : t.to(DType::f64).to_vector<double>()) sum += v * v;
  return std::sqrt(sum);
}

}  // namespace

BOOST_AUTO_TEST_SUITE(kinds)

BOOST_AUTO_TEST_CASE(the_length_of_blocks_changes_no_prediction) {
  for (const auto& [name, config] : settings()) {
    const Transformer model(config, DType::f64, Device::cpu, 3);
    const auto text = test::random_text(117, config.vocab);
    const auto whole = test::read_in_blocks(model, text, {config.block});
    const auto single = test::read_in_blocks(model, text, {1});
    const auto uneven = test::read_in_blocks(model, text, {3, 8, 1, 5});
    BOOST_TEST(test::largest_difference(whole, single) < tolerance(config), name);
    BOOST_TEST(test::largest_difference(whole, uneven) < tolerance(config), name);
  }
}

// The shortest window there can be: a block that begins between two groups fills slots from its own rows.
BOOST_AUTO_TEST_CASE(a_window_of_one_block_compresses_at_any_length_of_blocks) {
  ModelConfig config = of_kind(Kind::compressive);
  config.max_span = config.block;
  const Transformer model(config, DType::f64, Device::cpu, 3);
  const auto text = test::random_text(117, config.vocab);
  const auto whole = test::read_in_blocks(model, text, {config.block});
  BOOST_TEST(test::largest_difference(whole, test::read_in_blocks(model, text, {3, 8, 2})) < 1e-11);
}

BOOST_AUTO_TEST_CASE(forgetting_changes_no_prediction) {
  for (const auto& [name, config] : settings()) {
    const Transformer model(config, DType::f64, Device::cpu, 3);
    const auto text = test::random_text(303, config.vocab);
    const auto with = test::bits_of_each_byte(model, text, {.streams = 2});
    const auto without = test::bits_of_each_byte(model, text, {.streams = 2, .forget = false});
    BOOST_TEST(test::largest_difference(with, without) < tolerance(config), name);
  }
}

BOOST_AUTO_TEST_CASE(every_kind_looks_as_far_back_as_it_should) {
  for (const auto& [name, config] : settings()) {
    const Transformer model(config, DType::f64, Device::cpu, 3);
    const auto text = test::random_text(200, config.vocab);
    const int64_t S = config.max_span, z = S / 4;
    const int64_t per_layer = config.kind == Kind::adaptive_span ? z + config.span.ramp
                              : config.kind == Kind::compressive
                                  ? S + (config.compress.slots + 1) * config.compress.rate
                                  : S;
    auto other = text;
    other[50] ^= 1;
    const auto a = test::bits_of_each_byte(model, text, {}), b = test::bits_of_each_byte(model, other, {});
    const auto at = [&](int64_t from, int64_t to) {
      return test::largest_difference(std::span(a).subspan(from, to - from),
                                      std::span(b).subspan(from, to - from));
    };
    BOOST_TEST(at(0, 49) == 0, name);                                 // no look ahead
    BOOST_TEST(at(50 + per_layer - 6, 50 + per_layer) > 1e-9, name);  // seen in one layer up to here
    BOOST_TEST(at(52 + 2 * per_layer, 199) < 1e-6, name);             // through two layers up to here
  }
}

BOOST_AUTO_TEST_CASE(memory_holds_what_can_still_be_seen) {
  const auto rows = [](const ModelConfig& config) {
    const Transformer model(config, DType::f64, Device::cpu, 3);
    Memory memory = model.empty_memory(2);
    read_blocks(model, 12, memory, false);
    return memory.mean_rows();
  };
  BOOST_TEST(rows(of_kind(Kind::transformer_xl)) == 24);
  BOOST_TEST(rows(of_kind(Kind::compressive)) == 24 + 5);
  ModelConfig odd = of_kind(Kind::compressive);
  odd.max_span = 21;  // rows are evicted a block at a time: two whole blocks
  BOOST_TEST(rows(odd) == 16 + 5);
  ModelConfig adaptive = of_kind(Kind::adaptive_span);
  BOOST_TEST(rows(adaptive) == 6 + 2 * 4);  // the span, and two ramps
  adaptive.span.init = 0;
  BOOST_TEST(rows(adaptive) == 2 * 4);
  adaptive.span.init = 1;
  BOOST_TEST(rows(adaptive) == 24);
}

BOOST_AUTO_TEST_CASE(adaptive_memory_follows_the_longest_head_of_its_layer) {
  const Transformer model(of_kind(Kind::adaptive_span), DType::f64, Device::cpu, 3);
  find(model, "layers.1.attn.span.ratio").copy_from(Tensor::from(std::vector<double>{0.1, 0.5}, {2}));
  Memory memory = model.empty_memory(2);
  read_blocks(model, 12, memory, false);
  BOOST_TEST(memory[0].count() == 2 * (6 + 8));
  BOOST_TEST(memory[1].count() == 2 * (12 + 8));
}

BOOST_AUTO_TEST_CASE(ratios_stay_between_0_and_1) {
  const test::TempDir dir;
  const auto bytes = test::random_text(1500, 32);
  Config c;
  c.model = of_kind(Kind::adaptive_span);
  c.data.path = dir.write("text", std::string(bytes.begin(), bytes.end()));
  c.data.vocab = 32;
  c.train.batch = 2;
  c.train.optimizer = {.kind = OptimizerKind::sgd, .lr = 1};
  c.train.schedule.warmup = 0;
  c.device = DeviceChoice::cpu;
  const Corpus corpus(c.data);
  for (const double loss :
       {0.0, 1000.0, -1000.0}) {  // (a coefficient below 0 is no configuration, but pulls upwards)
    c.model.span.loss = loss;
    c.train.clip = 0;
    c.model.layers = 1;
    Trainer trainer(c, corpus);
    trainer.step();
    for (const double ratio :
         find(trainer.model(), "layers.0.attn.span.ratio").to(DType::f64).to_vector<double>()) {
      if (loss == 0) BOOST_TEST((ratio > 0 && ratio < 1));
      if (loss > 0) BOOST_TEST(ratio == 0);
      if (loss < 0) BOOST_TEST(ratio == 1);
    }
  }
}

BOOST_AUTO_TEST_CASE(the_convolution_learns_from_its_reconstruction_alone) {
  for (const bool pre_norm : {false, true}) {
    ModelConfig config = of_kind(Kind::compressive, pre_norm);
    config.compress.kind = CompressKind::conv;
    const Transformer model(config, DType::f64, Device::cpu, 3);
    for (const bool of_aux : {false, true}) {
      Memory memory = model.empty_memory(2);
      const StepReport report = read_blocks(model, 6, memory, of_aux);
      BOOST_REQUIRE(report.aux);
      BOOST_TEST(report.aux.item() > 0);
      for (const Parameter& p : model.parameters().all()) {
        const bool convolution = p.name.find(".compress.") != std::string::npos;
        const double gradient = norm(p.grad());
        if (convolution == of_aux)
          BOOST_TEST(gradient > 0, p.name);
        else
          BOOST_TEST(gradient == 0, p.name);
      }
    }
  }
}

// Central differences: slots are constants of the next layer's input, so only the layer's own loss is looked
// at.
BOOST_AUTO_TEST_CASE(the_reconstruction_loss_has_the_gradient_it_says) {
  ModelConfig config = of_kind(Kind::compressive, true);
  config.compress.kind = CompressKind::conv;
  config.layers = 1;
  const Transformer model(config, DType::f64, Device::cpu, 3);
  const auto aux = [&] {
    Memory memory = model.empty_memory(2);
    return read_blocks(model, 4, memory, true)
        .aux.item();  // the first block that compresses: no older slot depends on it
  };
  for (const char* part : {"weight", "bias"}) {
    const Parameter& parameter = model.parameters().find(std::string("layers.0.attn.compress.") + part);
    const Tensor t = parameter.value();
    aux();
    const std::vector<double> grad = parameter.grad().to_vector<double>(), start = t.to_vector<double>();
    std::vector<double> direction(start.size());
    double slope = 0;
    for (size_t i = 0; i < start.size(); ++i) {
      direction[i] = uniform_f64({9, 9}, i) - 0.5;
      slope += direction[i] * grad[i];
    }
    const auto at = [&](double step) {
      auto moved = start;
      for (size_t i = 0; i < start.size(); ++i) moved[i] += step * direction[i];
      t.copy_from(Tensor::from(moved, t.shape()));
      return aux();
    };
    const double quotient = (at(1e-5) - at(-1e-5)) / 2e-5;
    at(0);
    BOOST_TEST(std::abs(quotient - slope) < 1e-7 * (1 + std::abs(slope)),
               part << ": " << slope << ", " << quotient);
    BOOST_TEST(std::abs(slope) > 1e-5);
  }
}

BOOST_AUTO_TEST_CASE(every_kind_trains_on_both_paths_and_resumes) {
  const test::TempDir dir;
  const auto bytes = test::random_text(4000, 32);
  Config c;
  c.data.path = dir.write("text", std::string(bytes.begin(), bytes.end()));
  c.data.vocab = 32;
  c.train.batch = 3;
  c.train.optimizer.lr = 3e-3;
  c.train.schedule.warmup = 0;
  c.device = DeviceChoice::cpu;
  c.dtype = Precision::f64;
  const Corpus corpus(c.data);
  const auto steps = [](Trainer& t, int n) {
    for (int i = 0; i < n; ++i) t.step();
    return test::all_values(t.model());
  };
  for (const auto& [name, config] : settings()) {
    c.model = config;
    Trainer straight(c, corpus), resumed(c, corpus), halfway(c, corpus);
    const auto trained = steps(straight, 24);
    steps(halfway, 13);
    halfway.save(dir.path(name));
    resumed.restore(read_checkpoint(dir.path(name)));
    BOOST_TEST((steps(resumed, 11) == trained), name);
    c.model.attention = AttentionPath::composed;
    Trainer composed(c, corpus);
    BOOST_TEST(test::largest_difference(steps(composed, 24), trained) < 1e-7, name);
  }
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace fade
