// Training as a whole: it learns, repeats bit by bit, and resumes
// from a checkpoint as if it had never stopped.
#include <boost/test/unit_test.hpp>
#include <cmath>
#include <filesystem>
#include <fstream>

#include "nn/init.h"
#include "tests/small_training.h"
#include "train/checkpoint/checkpoint.h"
#include "train/checkpoint/weights.h"

namespace fade {
namespace {

namespace fs = std::filesystem;

using test::all_values, test::resume, test::save, test::train;

// A run with all that a checkpoint must carry: dropout, noise of spans and input, a schedule, accumulation, streams
// that take turns and go from chunk to chunk.
Config eventful_config(const test::TempDir& dir, size_t text_size = 1500) {
  Config c = test::small_noisy_config(dir, text_size);
  c.train.steps = 400;
  c.train.accumulate = 2;
  c.train.turns = 3;
  c.train.chunk_bytes = 40;
  c.train.input_noise = 0.1;
  c.train.schedule = {.kind = ScheduleKind::cosine, .warmup = 20, .final = 0.1};
  return c;
}

// One block per stream, read over and over.
Config one_batch_config(const test::TempDir& dir) {
  Config c = test::small_config(dir, 4 * 17);
  c.model.block = 16;
  c.data.split = {100, 0, 0};
  c.train.batch = 4;
  c.train.steps = 400;
  c.train.optimizer.lr = 3e-3;
  c.train.schedule.warmup = 0;
  return c;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(training)

BOOST_AUTO_TEST_CASE(one_batch_is_learned_by_heart) {
  const test::TempDir dir;
  const Config c = one_batch_config(dir);
  const Corpus corpus(c.data);
  Trainer trainer(c, corpus);
  const auto bits = train(trainer, 400);
  BOOST_TEST(bits.front() > 4);  // log2 32 = 5 bits are in each byte
  BOOST_TEST(bits.back() < 0.05);
}

BOOST_AUTO_TEST_CASE(unigram_init_begins_at_the_entropy_of_single_bytes) {
  const test::TempDir dir;
  Config c = test::small_config(dir);
  std::string text;
  for (int i = 0; i < 200; ++i) text += std::string("\1\2\1\3\1\2\1\7", 8);  // 1: half of it, 2: a quarter
  std::ofstream(c.data.path, std::ios::binary) << text;
  c.data.split = {50, 50, 0};
  c.train.unigram_init = true;
  c.train.schedule.warmup = 0;
  const Corpus corpus(c.data);
  Trainer trainer(c, corpus);
  // Bytes that do not occur have a small share, too.
  const double entropy = 0.5 * 1 + 0.25 * 2 + 2 * 0.125 * 3;
  BOOST_TEST(std::abs(trainer.validate().bits_per_byte - entropy) < 0.05);
  BOOST_TEST(train(trainer, 100).back() < 1.5);  // from where it learns
}

BOOST_AUTO_TEST_CASE(input_noise_changes_what_is_read_and_not_what_is_predicted) {
  const test::TempDir dir;
  Config c = test::small_noisy_config(dir);
  c.train.unigram_init = true;  // the first predictions are the same whatever is read
  const Corpus corpus(c.data);
  Trainer clean(c, corpus);
  c.train.input_noise = 1;
  Trainer noisy(c, corpus);
  BOOST_TEST(clean.validate().bits_per_byte == noisy.validate().bits_per_byte);
  const auto without = train(clean, 20), with = train(noisy, 20);
  BOOST_TEST(without.front() == with.front());
  BOOST_TEST(without.back() != with.back());
}

BOOST_AUTO_TEST_CASE(noise_in_every_byte_leaves_nothing_to_learn_from) {
  const test::TempDir dir;
  Config c = one_batch_config(dir);
  c.train.input_noise = 1;
  const Corpus corpus(c.data);
  Trainer trainer(c, corpus);
  BOOST_TEST(train(trainer, 400).back() > 2);
}

BOOST_AUTO_TEST_CASE(identical_runs_give_identical_bits) {
  const test::TempDir dir;
  const Config c = eventful_config(dir);
  const Corpus corpus(c.data);
  Trainer a(c, corpus), b(c, corpus);
  BOOST_TEST((train(a, 60) == train(b, 60)));
  BOOST_TEST((all_values(a) == all_values(b)));
  Config reseeded = c;
  reseeded.seed = 2;
  Trainer other(reseeded, corpus);
  train(other, 60);
  BOOST_TEST((all_values(a) != all_values(other)));
}

// Each set has its memory, and reads on where it was.
BOOST_AUTO_TEST_CASE(an_update_by_all_sets_in_turn_is_one_of_all_their_streams_together) {
  const test::TempDir dir;
  Config c = test::small_config(dir, 2000);
  c.dtype = Precision::f64;
  c.train.chunk_bytes = 100;
  c.train.batch = 6;
  const Corpus corpus(c.data);
  Trainer together(c, corpus);
  c.train.batch = 2, c.train.turns = c.train.accumulate = 3;
  Trainer in_turn(c, corpus);
  for (int step = 0; step < 30; ++step) {
    const Trainer::Step expected = together.step(), found = in_turn.step();
    const auto tolerance = boost::test_tools::tolerance(1e-9);
    BOOST_TEST(found.bits == expected.bits, tolerance);
    BOOST_TEST(found.aux == expected.aux, tolerance);
    BOOST_TEST(found.mean_rows == expected.mean_rows, tolerance);
  }
  BOOST_TEST(test::largest_difference(all_values(together), all_values(in_turn)) < 1e-9);
}

// Thirty updates with dropout and span noise: rounding grows a little with each, and stays far below this.
BOOST_AUTO_TEST_CASE(fused_attention_trains_the_same_model_as_composed) {
  const test::TempDir dir;
  Config c = eventful_config(dir, 4000);
  c.dtype = Precision::f64;
  std::vector<double> values[2];
  const Corpus corpus(c.data);
  for (const AttentionPath path : {AttentionPath::fused, AttentionPath::composed}) {
    c.model.attention = path;
    Trainer trainer(c, corpus);
    train(trainer, 30);
    values[static_cast<int>(path)] = all_values(trainer);
  }
  BOOST_TEST(test::largest_difference(values[0], values[1]) < 1e-8);
}

BOOST_AUTO_TEST_CASE(a_steady_step_asks_the_system_for_no_memory) {
  const test::TempDir dir;
  Config c = eventful_config(dir, 40000);
  c.model.kind = Kind::transformer_xl;  // a fixed window: every step after the first few has the same sizes
  const Corpus corpus(c.data);
  Trainer trainer(c, corpus);
  train(trainer, 20);
  const int64_t before = memory_stats(Device::cpu).system;
  train(trainer, 100);
  BOOST_TEST(memory_stats(Device::cpu).system == before);
}

// Over several epochs of the corpus, from a checkpoint in the middle of one.
BOOST_AUTO_TEST_CASE(resumed_equals_straight) {
  const test::TempDir dir;
  const Config c = eventful_config(dir);
  const Corpus corpus(c.data);
  Trainer straight(c, corpus);
  const auto straight_bits = train(straight, 400);
  {
    Trainer first(c, corpus);
    train(first, 200);
    save(first, dir.path("run"));
  }
  Trainer resumed(c, corpus);
  resume(resumed, dir.path("run"));
  BOOST_TEST(resumed.steps_done() == 200);
  const auto bits = train(resumed, 200);
  BOOST_TEST(std::equal(bits.begin(), bits.end(), straight_bits.begin() + 200));
  BOOST_TEST((all_values(resumed) == all_values(straight)));
  BOOST_TEST(resumed.validate({}).bits_per_byte == straight.validate({}).bits_per_byte);
}

// Without files.
BOOST_AUTO_TEST_CASE(a_state_is_all_that_a_trainer_needs_to_continue) {
  const test::TempDir dir;
  Config c = eventful_config(dir);
  for (const int blocks : {2, 5}) {  // of an update: fewer than there are sets of streams, and more
    c.train.accumulate = blocks;
    const Corpus corpus(c.data);
    Trainer straight(c, corpus), continued(c, corpus);
    train(straight, 7);
    continued.restore(straight.state());
    BOOST_TEST((train(straight, 7) == train(continued, 7)));
    BOOST_TEST((all_values(straight) == all_values(continued)));
  }
}

BOOST_AUTO_TEST_CASE(every_optimizer_resumes) {
  const test::TempDir dir;
  for (const OptimizerKind kind : {OptimizerKind::sgd, OptimizerKind::adam, OptimizerKind::adamw,
                                   OptimizerKind::adagrad, OptimizerKind::muon}) {
    Config c = eventful_config(dir);
    c.train.optimizer.kind = kind;
    c.train.optimizer.momentum = 0.9;
    c.train.optimizer.weight_decay = 0.01;
    const Corpus corpus(c.data);
    const std::string run = dir.path(std::string(name_of(kind)));
    Trainer straight(c, corpus), resumed(c, corpus);
    train(straight, 5);
    save(straight, run);
    resume(resumed, run);
    BOOST_TEST((train(straight, 5) == train(resumed, 5)));
    BOOST_TEST((all_values(resumed) == all_values(straight)));
  }
}

// The file is cut short, at a block of an update of two, and later whole again.
BOOST_AUTO_TEST_CASE(a_corpus_that_cannot_be_read_changes_nothing) {
  const test::TempDir dir;
  const Config c = eventful_config(dir);
  const std::string text = test::file_text(c.data.path);
  const Corpus corpus(c.data);
  Trainer straight(c, corpus), interrupted(c, corpus);
  train(straight, 40);
  for (const size_t left : {size_t{0}, text.size() / 2, text.size() * 3 / 4}) {
    fs::resize_file(c.data.path, left);
    const std::string message = test::refusal([&] {
      while (interrupted.steps_done() < 40) interrupted.step();
    });
    BOOST_TEST(test::contains(message, "cut short while it was read"), message);
    std::ofstream(c.data.path, std::ios::in | std::ios::binary) << text;
    train(interrupted, 7);
  }
  while (interrupted.steps_done() < 40) interrupted.step();
  BOOST_TEST((all_values(interrupted) == all_values(straight)));
}

// The moments of one optimizer mean nothing to another. It starts from zero, as it would on
// the weights alone.
BOOST_AUTO_TEST_CASE(another_optimizer_starts_with_its_own_state) {
  const test::TempDir dir;
  const auto kinds = {OptimizerKind::sgd, OptimizerKind::adam, OptimizerKind::adamw, OptimizerKind::adagrad,
                      OptimizerKind::muon};
  Config c = eventful_config(dir);
  const Corpus corpus(c.data);
  const auto is_adam = [](OptimizerKind k) { return k == OptimizerKind::adam || k == OptimizerKind::adamw; };
  for (const OptimizerKind before : kinds)
    for (const OptimizerKind now : kinds) {
      c.train.optimizer.kind = before;
      Trainer first(c, corpus);
      train(first, 5);
      const std::string run = dir.path(std::string(name_of(before)));
      if (now == *kinds.begin()) save(first, run);
      c.train.optimizer.kind = now;
      Trainer resumed(c, corpus), expected(c, corpus);
      resume(resumed, run);
      TrainState state = first.state();
      if (before != now && !(is_adam(before) && is_adam(now))) {
        state.optimizer.clear();
        state.optimizer_steps = 0;
      }
      expected.restore(state);
      BOOST_TEST(resumed.steps_done() == 5);
      BOOST_TEST((train(resumed, 3) == train(expected, 3)), name_of(before) << " to " << name_of(now));
      BOOST_TEST((all_values(resumed) == all_values(expected)), name_of(before) << " to " << name_of(now));
      save(resumed, dir.path("again"));
      Trainer again(c, corpus);
      resume(again, dir.path("again"));
      train(resumed, 2);
      train(again, 2);
      BOOST_TEST((all_values(again) == all_values(resumed)), "its count of updates is kept");
      fs::remove_all(dir.path("again"));
    }
}

// State files that call all moments first.NAME and second.NAME, and have no count of the optimizer's own.
BOOST_AUTO_TEST_CASE(checkpoints_with_unnamed_moments_resume) {
  const test::TempDir dir;
  for (const OptimizerKind kind : {OptimizerKind::sgd, OptimizerKind::adam, OptimizerKind::adagrad}) {
    Config c = eventful_config(dir);
    c.train.optimizer.kind = kind;
    const Corpus corpus(c.data);
    const std::string run = dir.path(std::string(name_of(kind)));
    Trainer straight(c, corpus), resumed(c, corpus);
    train(straight, 5);
    save(straight, run);
    TensorFile state = load_safetensors(run + "/step-5/state.safetensors");
    BOOST_TEST(state.metadata.erase("optimizer.steps") == 1u);
    const std::vector<std::string> names = state_names(kind);
    int renamed = 0;
    for (NamedTensor& t : state.tensors)
      for (size_t s = 0; s < names.size(); ++s)
        if (t.name.starts_with(names[s])) {
          t.name.replace(0, names[s].size(), s == 0 ? "first." : "second.");
          ++renamed;
        }
    BOOST_TEST(renamed > 10);
    save_safetensors(run + "/step-5/state.safetensors", state);
    resume(resumed, run);
    BOOST_TEST((train(straight, 5) == train(resumed, 5)), name_of(kind));
    BOOST_TEST((all_values(resumed) == all_values(straight)), name_of(kind));
  }
}

BOOST_AUTO_TEST_CASE(a_checkpoint_is_whole_or_absent) {
  const test::TempDir dir;
  const Config c = eventful_config(dir);
  const Corpus corpus(c.data);
  Trainer trainer(c, corpus);
  train(trainer, 3);
  save(trainer, dir.path("run"));
  // A later save that was cut off leaves its unfinished directory, which is not a checkpoint.
  fs::create_directories(dir.path("run/step-4.tmp"));
  std::ofstream(dir.path("run/step-4.tmp/model.safetensors")) << "half";
  BOOST_TEST(find_weights(dir.path("run")) == fs::path(dir.path("run/step-3/model.safetensors")));
  Trainer resumed(c, corpus);
  resume(resumed, dir.path("run"));
  train(resumed, 1);
  save(resumed, dir.path("run"));
  BOOST_TEST(find_weights(dir.path("run")) == fs::path(dir.path("run/step-4/model.safetensors")));
  BOOST_TEST(!fs::exists(dir.path("run/step-4.tmp")));
  BOOST_TEST((all_values(*load_model(dir.path("run")).model) == all_values(resumed)));
}

BOOST_AUTO_TEST_CASE(checkpoints_of_other_runs_are_refused) {
  const test::TempDir dir;
  const Config c = eventful_config(dir);
  const Corpus corpus(c.data);
  Trainer trainer(c, corpus);
  train(trainer, 1);
  save(trainer, dir.path("run"));
  const auto refused = [&](auto change) {
    Config other = c;
    change(other);
    Trainer t(other, corpus);
    return test::refusal([&] { resume(t, dir.path("run")); });
  };
  BOOST_TEST(
      test::contains(refused([](Config& o) { o.model.hidden = 8; }), "embed.weight has shape [32,16]"));
  BOOST_TEST(test::contains(refused([](Config& o) { o.model.layers = 1; }), "layers.1.attn"));
  BOOST_TEST(test::contains(refused([](Config& o) { o.train.batch = 3; }), "train.batch is 3"));
  BOOST_TEST(test::contains(refused([](Config& o) { o.model.pre_norm = true; }), "norm.weight is missing"));
  BOOST_TEST(test::contains(refused([](Config& o) { o.model.qk_norm = true; }),
                            "layers.0.attn.query_norm.weight is missing"));
}

// The weights are those before the step, and the message says which step and what to do.
BOOST_AUTO_TEST_CASE(a_loss_that_is_not_finite_stops_the_run) {
  const test::TempDir dir;
  const Config c = eventful_config(dir);
  const Corpus corpus(c.data);
  Trainer trainer(c, corpus);
  train(trainer, 2);
  init_constant(trainer.model().parameters().find("out.bias").value(), NAN);
  const std::string message = test::error_of([&] { trainer.step(); });
  BOOST_TEST(message.starts_with("step 3: the loss is nan"), message);
  BOOST_TEST(test::contains(message, "train.optimizer.lr"), message);
  BOOST_TEST(trainer.steps_done() == 2);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace fade
