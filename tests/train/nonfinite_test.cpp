// Training on numbers that are not finite: the first such tensor
// is named, and the run stops or skips the step.
#include <boost/test/unit_test.hpp>
#include <cmath>
#include <optional>

#include "engine/io/safetensors.h"
#include "models/kinds.h"
#include "nn/init.h"
#include "tests/small_training.h"

namespace fade {
namespace {

using test::all_values, test::contains;

/// Training of a small model on a text in which byte 31 occurs once, in the fourth block of the first stream.
struct RareByteTraining {
  test::TempDir dir;
  Config config;
  std::optional<Corpus> corpus;
  std::optional<Trainer> trainer;

  explicit RareByteTraining(OnNonfinite on_nonfinite) {
    config = test::small_config(dir);
    std::vector<uint8_t> text = test::random_text(3000, 31);
    text[30] = 31;
    dir.write("text", {reinterpret_cast<const char*>(text.data()), text.size()});
    config.train.schedule.warmup = 0;
    config.train.on_nonfinite = on_nonfinite;
    corpus.emplace(config.data);
    trainer.emplace(config, *corpus);
  }
  Tensor weights(const char* name) const { return trainer->model().parameters().find(name).value(); }
  /// The error of the next step.
  std::string error() {
    return test::error_of<NonfiniteError>([&] { trainer->step(); });
  }
};

}  // namespace

BOOST_AUTO_TEST_SUITE(nonfinite)

// No result of a healthy model is ever infinite, not even one that a mask hides: the check can stay on.
BOOST_AUTO_TEST_CASE(healthy_models_pass_with_every_operation_checked) {
  for (const AttentionPath path : {AttentionPath::fused, AttentionPath::composed})
    for (const KindInfo& kind : kKinds) {
      RareByteTraining t(OnNonfinite::stop);
      t.config.model.kind = kind.kind;
      t.config.model.attention = path;
      t.config.model.dropout = 0.1;
      Trainer plain(t.config, *t.corpus), checked(t.config, *t.corpus);
      checked.check_finite(true);
      test::train(plain, 12);
      test::train(checked, 12);
      BOOST_TEST((all_values(plain) == all_values(checked)), kind.name);
    }
}

BOOST_AUTO_TEST_CASE(training_stops_before_the_step_and_names_the_tensor) {
  RareByteTraining t(OnNonfinite::stop);
  init_constant(t.weights("embed.weight").rows(31, 32), NAN);
  test::train(*t.trainer, 3);  // without byte 31
  const auto before = all_values(*t.trainer);
  const std::string message = t.error();
  BOOST_TEST(message.find("step 4: the loss is nan bits and the gradient norm nan") == 0u, message);
  BOOST_TEST(contains(message,
                      "the first tensor that is not finite: embed.weight [32,16]: nan at element 496; "
                      "16 of 512 elements are not finite: as input 0 of embedding (node 0"),
             message);
  BOOST_TEST(contains(message, "lower train.optimizer.lr"), message);
  BOOST_TEST(t.trainer->steps_done() == 3);
  const auto after = all_values(*t.trainer);
  BOOST_TEST(std::equal(before.begin(), before.end(), after.begin(),
                        [](double a, double b) { return a == b || (std::isnan(a) && std::isnan(b)); }));
  BOOST_TEST(t.error() == message);  // nothing has changed: the step fails again in the same way
}

BOOST_AUTO_TEST_CASE(clipping_that_is_off_cannot_be_lowered) {
  for (const double clip : {0.0, 0.3}) {
    RareByteTraining t(OnNonfinite::stop);
    t.config.train.clip = clip;
    Trainer trainer(t.config, *t.corpus);
    init_constant(trainer.model().parameters().find("embed.weight").value(), NAN);
    const std::string message = test::error_of<NonfiniteError>([&] { trainer.step(); });
    BOOST_TEST(contains(message, clip > 0 ? " lower train.clip," : " set train.clip,"), message);
  }
}

// The weight is finite and its product is not: the operation and the layer are named.
BOOST_AUTO_TEST_CASE(an_overflow_within_the_model_is_found) {
  RareByteTraining t(OnNonfinite::stop);
  init_constant(t.weights("layers.1.ff.fc1.weight"), 3e38);
  const std::string message = t.error();
  BOOST_TEST(contains(message, "the first tensor that is not finite: linear [16,32] (node "), message);
  BOOST_TEST(contains(message, "at or after layers.1.ff.fc1.bias"), message);
}

BOOST_AUTO_TEST_CASE(steps_are_skipped_and_counted) {
  RareByteTraining t(OnNonfinite::skip);
  init_constant(t.weights("embed.weight").rows(31, 32), 3e38);  // finite, but not its square
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

  // A checkpoint holds the count and the position in the data.
  test::save(*t.trainer, t.dir.path("run"));
  Trainer resumed(t.config, *t.corpus);
  test::resume(resumed, t.dir.path("run"));
  BOOST_TEST(resumed.skipped() == 1);
  BOOST_TEST(resumed.step().bits == t.trainer->step().bits);
}

BOOST_AUTO_TEST_CASE(a_model_that_is_wrong_for_good_is_not_skipped_for_ever) {
  RareByteTraining t(OnNonfinite::skip);
  init_constant(t.weights("out.bias"), NAN);
  const std::string message = t.error();
  BOOST_TEST(contains(message, "step 1: the loss is nan bits and the gradient norm nan, time after time"),
             message);
  BOOST_TEST(contains(message, "out.bias [32]: nan at element 0"), message);
}

// Tensors of a state share the trainer's storage.
BOOST_AUTO_TEST_CASE(a_state_that_is_not_finite_is_neither_saved_nor_resumed) {
  RareByteTraining t(OnNonfinite::stop);
  t.trainer->step();
  const test::TempDir dir;
  test::save(*t.trainer, dir.path("run"));
  const std::string path = dir.path("run/step-1/state.safetensors");
  for (const char* name : {"adam.v.out.bias", "memory.1.rows"}) {
    TensorFile file = load_safetensors(path);
    file.at(name).mutate<float>()[3] = NAN;
    const std::string other = dir.path(name);
    std::filesystem::copy(dir.path("run"), other, std::filesystem::copy_options::recursive);
    save_safetensors(other + "/step-1/state.safetensors", file);
    const std::string message = test::refusal([&] { test::resume(*t.trainer, other); });
    BOOST_TEST(contains(message, fmt::format("state.safetensors: {} [", name)), message);
    BOOST_TEST(contains(message, "nan at element 3"), message);
  }
  for (const NamedTensor& tensor : t.trainer->state().optimizer)
    if (tensor.name == "adam.v.out.bias") init_constant(tensor.tensor, INFINITY);
  const std::string message = test::error_of<NonfiniteError>([&] { t.trainer->check(t.trainer->state()); });
  BOOST_TEST(contains(message, "step 1: adam.v.out.bias [32]: inf at element 0"), message);
}

BOOST_AUTO_TEST_CASE(a_checkpoint_of_weights_that_are_not_finite_is_refused) {
  RareByteTraining t(OnNonfinite::stop);
  t.trainer->check(t.trainer->state());
  init_constant(t.weights("layers.0.norm2.bias"), INFINITY);
  const std::string message = test::error_of<NonfiniteError>([&] { t.trainer->check(t.trainer->state()); });
  BOOST_TEST(contains(message, "step 0: layers.0.norm2.bias [16]: inf at element 0"), message);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace fade
