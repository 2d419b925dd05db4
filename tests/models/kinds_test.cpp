// The four kinds of attention over time, each by its own rule: how far back it sees and which parameters
// learn from which loss. (Also: tests/models/forgetting_test.cpp,
// dynamics_test.cpp for Expire-Span, golden_test.cpp.)
#include <boost/test/unit_test.hpp>
#include <cmath>

#include "engine/rng.h"
#include "nn/init.h"
#include "tests/small_training.h"

namespace fade::test {
namespace {

// Rows that adaptive_span has dropped are missing from Z, which enters with a factor of 1e-8.
double tolerance(const ModelConfig& config) { return config.kind == Kind::adaptive_span ? 1e-6 : kRounding; }

double norm(const Tensor& t) {
  double sum = 0;
  if (t)
    for (const double v : t.to(DType::f64).to_vector<double>()) sum += v * v;
  return std::sqrt(sum);
}

}  // namespace

BOOST_AUTO_TEST_SUITE(kinds)

BOOST_AUTO_TEST_CASE(the_length_of_blocks_changes_no_prediction) {
  for (const auto& [name, config] : windowed_models()) {
    const Transformer model(config, DType::f64, Device::cpu, 3);
    const auto text = random_text(117, config.vocab);
    const auto whole = read_in_blocks(model, text, {config.block});
    const auto single = read_in_blocks(model, text, {1});
    const auto uneven = read_in_blocks(model, text, {3, 8, 1, 5});
    BOOST_TEST(largest_difference(whole, single) < tolerance(config), name);
    BOOST_TEST(largest_difference(whole, uneven) < tolerance(config), name);
  }
}

// The shortest window there can be: a block that begins between two groups fills slots from its own rows.
BOOST_AUTO_TEST_CASE(a_window_of_one_block_compresses_at_any_length_of_blocks) {
  ModelConfig config = small_model_of(Kind::compressive);
  config.max_span = config.block;
  const Transformer model(config, DType::f64, Device::cpu, 3);
  const auto text = random_text(117, config.vocab);
  const auto whole = read_in_blocks(model, text, {config.block});
  BOOST_TEST(largest_difference(whole, read_in_blocks(model, text, {3, 8, 2})) < 1e-11);
}

BOOST_AUTO_TEST_CASE(every_kind_looks_as_far_back_as_it_should) {
  for (const auto& [name, config] : windowed_models()) {
    const Transformer model(config, DType::f64, Device::cpu, 3);
    const auto text = random_text(200, config.vocab);
    const int64_t S = config.max_span, z = S / 4;
    const int64_t per_layer = config.kind == Kind::adaptive_span ? z + config.span.ramp
                              : config.kind == Kind::compressive
                                  ? S + (config.compress.slots + 1) * config.compress.rate
                                  : S;
    auto other = text;
    other[50] ^= 1;
    const auto a = bits_of_each_byte(model, text, {}), b = bits_of_each_byte(model, other, {});
    const auto at = [&](int64_t from, int64_t to) {
      return largest_difference(std::span(a).subspan(from, to - from), std::span(b).subspan(from, to - from));
    };
    BOOST_TEST(at(0, 49) == 0, name);                                 // no look ahead
    BOOST_TEST(at(50 + per_layer - 6, 50 + per_layer) > 1e-9, name);  // seen in one layer up to here
    BOOST_TEST(at(52 + 2 * per_layer, 199) < 1e-6, name);             // through two layers up to here
  }
}

// Two trainers take the same step, one of them with weight decay: what differs afterwards has decayed.
BOOST_AUTO_TEST_CASE(weight_decay_acts_on_matrices_alone) {
  const TempDir dir;
  Config c = small_config(dir);
  c.train.schedule.warmup = 0;
  for (const auto& [name, config] : windowed_models())
    for (const bool pre_norm : {false, true})
      for (const OptimizerKind kind : {OptimizerKind::sgd, OptimizerKind::adamw}) {
        c.model = config;
        c.model.pre_norm = c.model.qk_norm = pre_norm;
        const Corpus corpus(c.data);
        const auto values_after_a_step = [&](double decay) {
          c.train.optimizer = {.kind = kind, .lr = 0.01, .weight_decay = decay};
          Trainer trainer(c, corpus);
          std::vector<std::vector<double>> values;
          for (const Parameter& p : trainer.model().parameters().all()) init_constant(p.value(), 0.5);
          trainer.step();
          for (const Parameter& p : trainer.model().parameters().all())
            values.push_back(p.value().to(DType::f64).to_vector<double>());
          return values;
        };
        const auto without = values_after_a_step(0), with = values_after_a_step(0.5);
        const Transformer model(c.model, DType::f32, Device::cpu, 1);
        for (size_t i = 0; i < with.size(); ++i) {
          const std::string& p = model.parameters().all()[i].name;
          const bool matrix = p.ends_with(".weight") && !contains(p, "norm") && !contains(p, "span");
          if (contains(p, "compress.weight"))  // no row has left the window yet: it has no gradient
            BOOST_TEST((model.parameters().all()[i].role == Role::matrix), p);
          else
            BOOST_TEST((with[i] != without[i]) == matrix, name << ": " << p);
        }
      }
}

BOOST_AUTO_TEST_CASE(ratios_stay_between_0_and_1) {
  const TempDir dir;
  Config c = small_config(dir);
  c.model = small_model_of(Kind::adaptive_span);
  c.train.optimizer = {.kind = OptimizerKind::sgd, .lr = 1};
  c.train.schedule.warmup = 0;
  const Corpus corpus(c.data);
  // A negative coefficient, which no configuration may have, pulls upwards.
  for (const double loss : {0.0, 1000.0, -1000.0}) {
    c.model.span.loss = loss;
    c.train.clip = 0;
    c.model.layers = 1;
    Trainer trainer(c, corpus);
    trainer.step();
    for (const double ratio :
         parameter(trainer.model(), "layers.0.attn.span.ratio").to(DType::f64).to_vector<double>()) {
      if (loss == 0) BOOST_TEST((ratio > 0 && ratio < 1));
      if (loss > 0) BOOST_TEST(ratio == 0);
      if (loss < 0) BOOST_TEST(ratio == 1);
    }
  }
}

BOOST_AUTO_TEST_CASE(a_convolution_of_equal_weights_compresses_as_the_mean_does) {
  const ModelConfig config = small_model_of(Kind::compressive);
  ModelConfig convolved = config;
  convolved.compress.kind = CompressKind::conv;
  const int64_t H = config.hidden, c = config.compress.rate;
  std::vector<double> average(static_cast<size_t>(H * H * c));  // [H, H, c]
  for (int64_t h = 0; h < H; ++h)
    for (int64_t k = 0; k < c; ++k)
      average[static_cast<size_t>((h * H + h) * c + k)] = 1 / static_cast<double>(c);
  const Transformer mean(config, DType::f64, Device::cpu, 3), conv(convolved, DType::f64, Device::cpu, 4);
  for (const Parameter& p : conv.parameters().all()) {
    if (contains(p.name, ".compress.weight"))
      p.value().copy_from(Tensor::from(average, {H, H, c}));
    else if (contains(p.name, ".compress.bias"))
      p.value().copy_from(Tensor::zeros({H}, DType::f64));
    else
      p.value().copy_from(parameter(mean, p.name));
  }
  const auto text = random_text(117, config.vocab);
  const auto of_mean = read_in_blocks(mean, text, {config.block});
  BOOST_TEST(largest_difference(of_mean, read_in_blocks(conv, text, {config.block})) < kRounding);
}

BOOST_AUTO_TEST_CASE(the_convolution_learns_from_its_reconstruction_alone) {
  for (const bool pre_norm : {false, true}) {
    ModelConfig config = small_model_of(Kind::compressive, pre_norm);
    config.compress.kind = CompressKind::conv;
    config.qk_norm = pre_norm;
    const Transformer model(config, DType::f64, Device::cpu, 3);
    for (const auto part : {LossPart::main, LossPart::auxiliary}) {
      Memory memory = model.empty_memory(2);
      const StepReport report = read_blocks(model, 6, memory, part);
      BOOST_REQUIRE(report.aux);
      BOOST_TEST(report.aux.item() > 0);
      for (const Parameter& p : model.parameters().all()) {
        const bool convolution = p.name.find(".compress.") != std::string::npos;
        const double gradient = norm(p.grad());
        if (convolution == (part == LossPart::auxiliary))
          BOOST_TEST(gradient > 0, p.name);
        else
          BOOST_TEST(gradient == 0, p.name);
      }
    }
  }
}

// Central differences of the layer's own loss only, because the next layer takes slots as constants.
BOOST_AUTO_TEST_CASE(the_reconstruction_loss_has_the_gradient_it_says) {
  ModelConfig config = small_model_of(Kind::compressive, true);
  config.compress.kind = CompressKind::conv;
  config.layers = 1;
  const Transformer model(config, DType::f64, Device::cpu, 3);
  const auto aux = [&] {
    Memory memory = model.empty_memory(2);
    // The fourth block is the first that compresses: no older slot depends on it.
    return read_blocks(model, 4, memory, LossPart::auxiliary).aux.item();
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
  const TempDir dir;
  Config c = small_config(dir, 4000);
  c.train.batch = 3;
  c.train.optimizer.lr = 3e-3;
  c.train.schedule.warmup = 0;
  c.dtype = Precision::f64;
  const Corpus corpus(c.data);
  const auto steps = [](Trainer& t, int n) {
    train(t, n);
    return all_values(t);
  };
  for (const auto& [name, config] : windowed_models()) {
    c.model = config;
    Trainer straight(c, corpus), resumed(c, corpus), halfway(c, corpus);
    const auto trained = steps(straight, 24);
    steps(halfway, 13);
    save(halfway, dir.path(name));
    resume(resumed, dir.path(name));
    BOOST_TEST((steps(resumed, 11) == trained), name);
    c.model.attention = AttentionPath::composed;
    Trainer composed(c, corpus);
    BOOST_TEST(largest_difference(steps(composed, 24), trained) < 1e-7, name);
  }
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace fade::test
