// Infinities and NaNs: the first tensor that went wrong is found and named, and training stops or skips the
// step.
#include <boost/test/unit_test.hpp>
#include <cmath>

#include "engine/finite.h"
#include "ops/elementwise/elementwise.h"
#include "ops/matmul/matmul.h"
#include "ops/reduce/reduce.h"
#include "tests/models/model_support.h"
#include "tests/support.h"
#include "train/trainer.h"

namespace fade {
namespace {

bool has(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

// What a FiniteCheck finds in y = f(x), and on the way back, for a leaf x called "x".
template <class F>
std::string finding(const std::vector<float>& values, const F& f) {
  Tensor x = Tensor::from(values, {static_cast<int64_t>(values.size())}).set_requires_grad();
  Tape tape;
  FiniteCheck check([&](const Tensor& t) { return t.impl() == x.impl() ? "x" : ""; });
  const Observing observing(tape, check);
  const Recording on(tape);
  backward(sum(f(x)));
  return check.finding();
}

/// Training of a small model on a text in which byte 31 occurs once, in the fourth block of the first stream.
struct SmallTraining {
  test::TempDir dir;
  Config config;
  std::optional<Corpus> corpus;
  std::optional<Trainer> trainer;

  explicit SmallTraining(OnNonfinite on_nonfinite) {
    config.model = test::small_model();
    auto text = test::random_text(3000, 31);
    text[30] = 31;
    config.data.path = dir.write("text", {reinterpret_cast<const char*>(text.data()), text.size()});
    config.data.vocab = config.model.vocab;
    config.device = DeviceChoice::cpu;
    config.train.batch = 2;
    config.train.schedule.warmup = 0;
    config.train.on_nonfinite = on_nonfinite;
    corpus.emplace(config.data);
    trainer.emplace(config, *corpus);
  }
  Tensor weights(const char* name) const { return trainer->model().parameters().find(name).value(); }
  // The step's error.
  std::string error() {
    try {
      trainer->step();
    } catch (const NonfiniteError& e) {
      return e.what();
    }
    return "(no error)";
  }
};

}  // namespace

BOOST_AUTO_TEST_SUITE(finite)

BOOST_AUTO_TEST_CASE(tensors_are_described) {
  BOOST_TEST(not_finite(Tensor::from(std::vector<float>{1, 2, 3e38f}, {3})) == "");
  BOOST_TEST(not_finite(Tensor::from(std::vector<int32_t>{1, 2}, {2})) == "");
  BOOST_TEST(not_finite(Tensor::zeros({0})) == "");
  BOOST_TEST(not_finite(Tensor::from(std::vector<double>{1, -INFINITY, NAN}, {3})) ==
             "-inf at element 1; 2 of 3 elements are not finite");
}

BOOST_AUTO_TEST_CASE(the_first_result_that_went_wrong_is_named) {
  const auto chain = [](const Tensor& x) { return exp(x) * 0.5; };
  BOOST_TEST(finding({1, 2, 3}, chain) == "");
  BOOST_TEST(finding({1, 1000, 3}, chain) ==
             "exp [3] (node 0 of the tape, at or after x): inf at element 1; 1 of 3 elements are not finite");
}

BOOST_AUTO_TEST_CASE(an_input_that_is_wrong_from_the_start_is_named_instead) {
  const auto twice = [](const Tensor& x) { return (x * 2) * 3; };
  BOOST_TEST(has(finding({1, NAN}, twice),
                 "x [2]: nan at element 1; 1 of 2 elements are not finite: as input 0 of"));
  const Tensor constant = Tensor::from(std::vector<float>{1, INFINITY}, {2});
  BOOST_TEST(
      has(finding({1, 2}, [&](const Tensor& x) { return x * 2 + constant; }),
          "a constant [2]: inf at element 1; 1 of 2 elements are not finite: as input 1 of add (node 1"));
}

BOOST_AUTO_TEST_CASE(the_first_gradient_that_went_wrong_is_named) {
  // d log x / dx = 1/x overflows where log x does not.
  const std::string found = finding({1, 1e-40f}, [](const Tensor& x) { return log(x * 1) * 2; });
  BOOST_TEST(
      has(found, "gradient [2] of input 0 of log (node 1 of the tape, at or after x): inf at element 1"),
      found);
}

// Nothing of a healthy model is ever infinite, not even what a mask hides: the check can stay on.
BOOST_AUTO_TEST_CASE(healthy_models_pass_with_every_operation_checked) {
  for (const AttentionPath path : {AttentionPath::fused, AttentionPath::composed})
    for (const Kind kind :
         {Kind::expire_span, Kind::transformer_xl, Kind::adaptive_span, Kind::compressive}) {
      SmallTraining t(OnNonfinite::stop);
      t.config.model.kind = kind;
      t.config.model.attention = path;
      t.config.model.dropout = 0.1;
      Trainer plain(t.config, *t.corpus), checked(t.config, *t.corpus);
      checked.check_finite(true);
      for (int i = 0; i < 12; ++i) {
        plain.step();
        checked.step();
      }
      BOOST_TEST((test::all_values(plain.model()) == test::all_values(checked.model())));
    }
}

BOOST_AUTO_TEST_CASE(training_stops_before_the_step_and_names_the_tensor) {
  SmallTraining t(OnNonfinite::stop);
  init_constant(t.weights("embed.weight").rows(31, 32), NAN);
  for (int i = 0; i < 3; ++i) t.trainer->step();  // byte 31 has not come yet
  const auto before = test::all_values(t.trainer->model());
  const std::string message = t.error();
  BOOST_TEST(message.find("step 4: the loss is nan bits and the gradient norm nan") == 0u, message);
  BOOST_TEST(has(message,
                 "the first tensor that is not finite: embed.weight [32,16]: nan at element 496; "
                 "16 of 512 elements are not finite: as input 0 of embedding (node 0"),
             message);
  BOOST_TEST(has(message, "lower train.optimizer.lr"), message);
  BOOST_TEST(t.trainer->steps_done() == 3);
  const auto after = test::all_values(t.trainer->model());
  BOOST_TEST(std::equal(before.begin(), before.end(), after.begin(),
                        [](double a, double b) { return a == b || (std::isnan(a) && std::isnan(b)); }));
  BOOST_TEST(t.error() == message);  // all is as it was: the step fails again in the same way
}

// The weight is finite and its product is not: the operation and the layer are named.
BOOST_AUTO_TEST_CASE(an_overflow_within_the_model_is_found) {
  SmallTraining t(OnNonfinite::stop);
  init_constant(t.weights("layers.1.ff.fc1.weight"), 3e38);
  const std::string message = t.error();
  BOOST_TEST(has(message, "the first tensor that is not finite: matmul [16,32] (node "), message);
  BOOST_TEST(has(message, "at or after layers.1.ff.fc1.weight"), message);
}

BOOST_AUTO_TEST_CASE(steps_are_skipped_and_counted) {
  SmallTraining t(OnNonfinite::skip);
  init_constant(t.weights("embed.weight").rows(31, 32), NAN);
  std::vector<int> skipped;
  for (int i = 0; i < 8; ++i) {
    const Trainer::Step s = t.trainer->step();
    skipped.push_back(s.skipped);
    BOOST_TEST(std::isfinite(s.bits));
    BOOST_TEST(std::isfinite(s.grad_norm));
  }
  BOOST_TEST((skipped == std::vector<int>{0, 0, 0, 1, 0, 0, 0, 0}));  // the fourth block
  BOOST_TEST(t.trainer->skipped() == 1);
  BOOST_TEST(t.trainer->steps_done() == 8);

  // The count and the place in the data come back with a checkpoint.
  t.trainer->save(t.dir.path("run"));
  Trainer resumed(t.config, *t.corpus);
  resumed.restore(read_checkpoint(t.dir.path("run")));
  BOOST_TEST(resumed.skipped() == 1);
  BOOST_TEST(resumed.step().bits == t.trainer->step().bits);
}

BOOST_AUTO_TEST_CASE(a_model_that_is_wrong_for_good_is_not_skipped_for_ever) {
  SmallTraining t(OnNonfinite::skip);
  init_constant(t.weights("out.bias"), NAN);
  const std::string message = t.error();
  BOOST_TEST(has(message, "step 1: the loss is nan bits and the gradient norm nan, time after time"),
             message);
  BOOST_TEST(has(message, "out.bias [32]: nan at element 0"), message);
}

BOOST_AUTO_TEST_CASE(a_checkpoint_of_weights_that_are_not_finite_is_refused) {
  SmallTraining t(OnNonfinite::stop);
  t.trainer->check_weights();
  init_constant(t.weights("layers.0.norm2.bias"), INFINITY);
  try {
    t.trainer->check_weights();
    BOOST_ERROR("nothing was found");
  } catch (const NonfiniteError& e) {
    BOOST_TEST(has(e.what(), "step 0: layers.0.norm2.bias [16]: inf at element 0"), e.what());
  }
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace fade
