// Configuration files: what is read, what is refused and how, and that docs and code agree.
#include <fmt/format.h>

#include <boost/test/unit_test.hpp>
#include <limits>
#include <random>

#include "tests/support.h"
#include "train/config_file.h"
#include "train/config_schema.h"

using namespace fade;
using test::file_text;
using test::refusal;

namespace {

std::string refusal_of(const std::string& yaml, const std::vector<std::string>& overrides = {}) {
  return refusal([&] { parse_config(yaml, "c.yaml", overrides); });
}

const std::string minimal = "data: {path: corpus}\n";

std::string override_refusal(const std::string& text) { return refusal_of(minimal, {text}); }

}  // namespace

BOOST_AUTO_TEST_SUITE(config)

BOOST_AUTO_TEST_CASE(reads_every_type_of_value) {
  const Config c = parse_config(R"(
model:
  kind: transformer_xl
  hidden: 48
  heads: 3
  pre_norm: true
  span: {ramp: 32, loss: 1e-5, noisy: false}
data:
  path: some where/a file
  split: [80, 15, 5]
  vocab: 24
train:
  optimizer: {kind: adagrad, lr: 5.0e-4}
  schedule: {kind: cosine}
device: cpu
dtype: f64
seed: 18446744073709551615
)",
                                "c.yaml");
  BOOST_TEST((c.model.kind == Kind::transformer_xl));
  BOOST_TEST(c.model.hidden == 48);
  BOOST_TEST(c.model.pre_norm);
  BOOST_TEST(c.model.span.ramp == 32);
  BOOST_TEST(c.model.span.loss == 1e-5);
  BOOST_TEST(c.data.path == "some where/a file");
  BOOST_TEST(c.data.split == (std::array{80, 15, 5}));
  BOOST_TEST(c.model.vocab == 24);
  BOOST_TEST((c.train.optimizer.kind == OptimizerKind::adagrad));
  BOOST_TEST(c.train.optimizer.lr == 5e-4);
  BOOST_TEST((c.train.schedule.kind == ScheduleKind::cosine));
  BOOST_TEST((c.device == DeviceChoice::cpu));
  BOOST_TEST((c.dtype == Precision::f64));
  BOOST_TEST(c.seed == std::numeric_limits<std::uint64_t>::max());
  BOOST_TEST(c.train.batch == TrainConfig{}.batch);  // left out
}

BOOST_AUTO_TEST_CASE(initial_span_depends_on_the_kind_unless_given) {
  const auto init = [](const std::string& kind, const std::vector<std::string>& overrides = {}) {
    return parse_config("model: {kind: " + kind + "}", "c.yaml", overrides).model.span.init;
  };
  BOOST_TEST(init("expire_span") == 0.1);
  BOOST_TEST(init("adaptive_span") == 0.0);
  BOOST_TEST(init("adaptive_span, span: {init: 0.1}") == 0.1);
  BOOST_TEST(init("expire_span", {"model.kind=adaptive_span"}) == 0.0);
  BOOST_TEST(init("adaptive_span", {"model.span.init=0.5"}) == 0.5);
}

BOOST_AUTO_TEST_CASE(sections_may_be_empty) {
  BOOST_TEST(parse_config("model:\n  span:\ntrain: {batch: 3}\n", "c.yaml").train.batch == 3);
}

BOOST_AUTO_TEST_CASE(overrides_come_after_the_file_and_the_last_one_wins) {
  const Config c =
      parse_config("train: {steps: 10, batch: 2}", "c.yaml",
                   {"train.steps=20", "data.path=a: [b=c", "train.steps=30", "data.split=[98, 1, 1]"});
  BOOST_TEST(c.train.steps == 30);
  BOOST_TEST(c.train.batch == 2);
  BOOST_TEST(c.data.path == "a: [b=c");
  BOOST_TEST(c.data.split == (std::array{98, 1, 1}));
}

BOOST_AUTO_TEST_CASE(unknown_keys_are_refused_with_the_nearest_known_one) {
  BOOST_TEST(refusal_of("model:\n  layers: 2\n  hiden: 64\n") ==
             "c.yaml:3: model.hiden: unknown key (did you mean model.hidden?)");
  BOOST_TEST(refusal_of("modle: {layers: 2}") == "c.yaml:1: modle: unknown key (did you mean model?)");
  BOOST_TEST(refusal_of("\nramp: 3") == "c.yaml:2: ramp: unknown key (did you mean model.span.ramp?)");
  BOOST_TEST(refusal_of("train:\n  lr: 1.0e-3") ==
             "c.yaml:2: train.lr: unknown key (did you mean train.optimizer.lr?)");
  BOOST_TEST(refusal_of("flux_capacitor: 1") ==
             "c.yaml:1: flux_capacitor: unknown key (docs/configuration.md lists the known ones)");
  BOOST_TEST(override_refusal("model.span.rmap=3") ==
             "--set model.span.rmap=3: model.span.rmap: unknown key (did you mean model.span.ramp?)");
}

BOOST_AUTO_TEST_CASE(wrong_types_and_impossible_values_are_refused_with_what_is_allowed) {
  BOOST_TEST(refusal_of("model:\n  span:\n    ramp: 1\n") ==
             "c.yaml:3: model.span.ramp: found 1, allowed: an integer of at least 2 and at most 65536");
  BOOST_TEST(refusal_of("model: {kind: lstm}") ==
             "c.yaml:1: model.kind: found lstm, allowed: transformer_xl | adaptive_span | compressive | "
             "expire_span");
  BOOST_TEST(
      override_refusal("model.layers=two") ==
      "--set model.layers=two: model.layers: found two, allowed: an integer of at least 1 and at most 1024");
  BOOST_TEST(
      override_refusal("train.batch=") ==
      "--set train.batch=: train.batch: found nothing, allowed: an integer of at least 1 and at most 65536");
  BOOST_TEST(refusal_of("model: {hidden: [1, 2]}").find("found [1, 2], allowed: an integer") !=
             std::string::npos);
  BOOST_TEST(refusal_of("model: {hidden: \"64\"}").find("found \"64\", allowed: an integer") !=
             std::string::npos);
  BOOST_TEST(refusal_of("model: {hidden: {a: 1}}").find("found a map, allowed: an integer") !=
             std::string::npos);
  BOOST_TEST(refusal_of("model: 3") == "c.yaml:1: model: found 3, allowed: a map of keys");
}

BOOST_AUTO_TEST_CASE(only_plain_decimal_numbers_in_range_are_numbers) {
  for (const char* value : {"1e3", "3.0", "0x10", "-1", "0", "99999999999999999999", "1000000000", "3 ",
                            "true", "~", "1_000", ".inf"}) {
    const std::string text = fmt::format("model.hidden={}", value);
    BOOST_TEST(override_refusal(text).starts_with("--set " + text + ": model.hidden: found "), text);
  }
  for (const char* value : {".nan", "nan", "inf", ".inf", "1e400", "-1e-9", "0", "fast", "1,5"}) {
    const std::string text = fmt::format("train.optimizer.lr={}", value);
    BOOST_TEST(override_refusal(text).find("allowed: a number above 0") != std::string::npos, text);
  }
  for (const char* value : {"1e-6", "1.0e-6", "0.000001", "1E-6"})
    BOOST_TEST(parse_config(minimal, "c", {fmt::format("train.optimizer.lr={}", value)}).train.optimizer.lr ==
               1e-6);
  for (const char* value : {"yes", "on", "1", "True", "\"true\""})
    BOOST_TEST(override_refusal(fmt::format("model.pre_norm={}", value)).find("allowed: true | false") !=
               std::string::npos);
  for (const char* value :
       {"[90, 5, 6]", "[100, 0]", "[0, 50, 50]", "90", "[120, -10, -10]", "[33.3, 33.3, 33.4]"})
    BOOST_TEST(override_refusal(fmt::format("data.split={}", value)).find("allowed: three integers") !=
               std::string::npos);
  for (const char* value : {"0", "257"})
    BOOST_TEST(override_refusal(fmt::format("data.vocab={}", value)).find("at most 256") !=
               std::string::npos);
}

BOOST_AUTO_TEST_CASE(every_number_has_limits_that_hold) {
  for (const Key& key : config_keys()) {
    const bool number =
        allowed_values(key).find("a number") == 0 || allowed_values(key).find("an integer") == 0;
    if (!number) continue;
    for (const char* absurd : {"-1", "1e300", "36893488147419103232"})
      BOOST_TEST(
          override_refusal(fmt::format("{}={}", key.path, absurd)).find("allowed: ") != std::string::npos,
          key.path << '=' << absurd);
  }
}

BOOST_AUTO_TEST_CASE(values_that_do_not_go_together_are_refused) {
  const std::pair<const char*, const char*> cases[] = {
      {"model: {hidden: 50,\n  heads: 4}",
       "c.yaml:1: model.hidden: found 50, allowed: a multiple of model.heads (4)"},
      {"model:\n  heads: 3", "c.yaml:2: model.hidden: found 256, allowed: a multiple of model.heads (3)"},
      {"model: {span: {init: 0}}",
       "c.yaml:1: model.span.init: found 0.0, allowed: a number above 0 and below 1 for model.kind "
       "expire_span"},
      {"model: {kind: compressive, block: 10}",
       "c.yaml:1: model.compress.rate: found 4, allowed: a divisor of model.block (10)"},
      {"model: {kind: compressive, max_span: 128}",
       "c.yaml:1: model.max_span: found 128, allowed: at least model.block (256) for model.kind compressive"},
      {"dtype: bf16\ndevice: cpu", "c.yaml:1: dtype: found bf16, allowed: f32 | f64 on device cpu"},
      {"device: cuda\ndtype: f64", "c.yaml:2: dtype: found f64, allowed: f32 | bf16 on device cuda"},
      {"data: {kind: recall, recall: {keys: 1}}",
       "c.yaml:1: data.recall.facts: found 2, allowed: at most data.recall.keys (1)"},
      {"data: {kind: recall, recall: {wait_min: 500}}",
       "c.yaml:1: data.recall.wait_max: found 150, allowed: at least data.recall.wait_min (500)"},
      {"model: {hidden: 2048, heads: 4}",
       "c.yaml:1: model.heads: found 4, allowed: at least model.hidden/256 (8) for model.attention fused"},
      {"data: {kind: recall, vocab: 64}",
       "c.yaml:1: data.vocab: found 64, allowed: at least 128 for data.kind recall, whose text is ASCII"},
  };
  for (const auto& [yaml, message] : cases) BOOST_TEST(refusal_of(yaml) == message);
  BOOST_TEST(override_refusal("model.heads=7") ==
             "--set model.heads=7: model.hidden: found 256, allowed: a multiple of model.heads (7)");
  const std::string too_wide = refusal_of("model: {hidden: 65536, layers: 1024}");
  BOOST_TEST(too_wide.find("weights in all") != std::string::npos, too_wide);
  const std::string too_much = refusal_of("model: {block: 65536}\ntrain: {batch: 65536}");
  BOOST_TEST(too_much.find("c.yaml:2: train.batch: found 65536, allowed: at most") == 0, too_much);
  // Keys of other kinds are not in force.
  BOOST_TEST(parse_config("model: {kind: transformer_xl, block: 10, max_span: 4, span: {init: 0}}", "c")
                 .model.block == 10);
}

BOOST_AUTO_TEST_CASE(broken_documents_are_refused_at_their_line) {
  BOOST_TEST(refusal_of("").find("c.yaml: empty") == 0);
  BOOST_TEST(refusal_of("# nothing but a comment\n").find("c.yaml: empty") == 0);
  BOOST_TEST(refusal_of("- 1\n- 2\n").find("c.yaml:1: found [1, 2], allowed: a map") == 0);
  BOOST_TEST(refusal_of("hello").find("c.yaml:1: found hello, allowed: a map") == 0);
  BOOST_TEST(refusal_of("seed: 1\nmodel: {layers: 2\n").find("c.yaml:") == 0);
  BOOST_TEST(refusal_of("seed: 1\n  model: 2\n").find("c.yaml:2: not YAML: ") == 0);
  BOOST_TEST(refusal_of("seed: *nobody").find("c.yaml:1: not YAML: ") == 0);
  BOOST_TEST(refusal_of(std::string(100'000, '[')).find("c.yaml:1: not YAML: ") == 0);
  BOOST_TEST(refusal_of("seed: 1\n---\nseed: 2\n") ==
             "c.yaml: found more after the end of a YAML document, allowed: one document");
  BOOST_TEST(refusal_of("seed:\n , batch: 16\n").find("c.yaml:") == 0);
  BOOST_TEST(refusal_of("[1, 2]: 3") == "c.yaml:1: found [1, 2] for a key, allowed: a name");
  BOOST_TEST(refusal_of("model:\n  layers: 2\n  layers: 3\n") ==
             "c.yaml:3: model.layers: given twice, first at c.yaml:2");
  BOOST_TEST(refusal_of("model: {layers: 2}\nmodel: {layers: 3}\n") ==
             "c.yaml:2: model: given twice, first at c.yaml:1");
  BOOST_TEST(override_refusal("model.layers") == "--set model.layers: found no '=', allowed: key.path=value");
  BOOST_TEST(override_refusal("model.span=3") ==
             "--set model.span=3: model.span is a section (set one of its keys)");
  BOOST_TEST(override_refusal("model.layers=[").find("found [, allowed: an integer") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(errors_stay_on_one_line_of_sensible_length) {
  const std::string message = refusal_of("model: {kind: \"" + std::string(5000, 'x') + "\\n\"}");
  BOOST_TEST(message.size() < 250u);
  BOOST_TEST(refusal_of("model: {kind: \"a\\nb\"}").find('\n') == std::string::npos);
}

BOOST_AUTO_TEST_CASE(files_that_are_none_are_refused) {
  const test::TempDir dir;
  const auto load = [](const std::string& path) { return refusal([&] { load_config(path); }); };
  BOOST_TEST(load(dir.path("none.yaml")).find(dir.path("none.yaml") + ": no such file") == 0);
  BOOST_TEST(load(dir.path()).find(dir.path() + ": a directory") == 0);
  BOOST_TEST(load(dir.write("empty.yaml", "")).find(dir.path("empty.yaml") + ": empty") == 0);
  BOOST_TEST(load(dir.write("large.yaml", std::string(2 << 20, '#'))).find("longer than") !=
             std::string::npos);
  const std::string typo = dir.write("typo.yaml", "seed: 1\nsede: 2\n");
  BOOST_TEST(load(typo) == typo + ":2: sede: unknown key (did you mean seed?)");
  BOOST_TEST(load_config(dir.write("good.yaml", "seed: 7\n"), {"threads=2"}).threads == 2);
}

BOOST_AUTO_TEST_CASE(a_written_configuration_reads_back_the_same) {
  Config c = parse_config(
      "model: {kind: adaptive_span}\ndata: {kind: recall}\ntrain: {optimizer: {kind: adamw}}\n", "c");
  c.data.path = "a \"b\"\\ c:\t# d\x01 \xc3\xa9\n";
  std::mt19937_64 random(5);
  c.train.optimizer.eps = std::nextafter(1e-8, 1.0);
  c.train.optimizer.weight_decay = 0.1 + 0.2;
  c.seed = random();
  c.train.clip = 3;
  const std::string yaml = to_yaml(c);
  const Config back = parse_config(yaml, "written");
  for (const Key& key : config_keys()) BOOST_TEST(value_text(key, back) == value_text(key, c), key.path);
  BOOST_TEST(back.data.path == c.data.path);
  BOOST_TEST(back.train.optimizer.eps == c.train.optimizer.eps);
  BOOST_TEST(back.train.optimizer.weight_decay == c.train.optimizer.weight_decay);
  BOOST_TEST(back.seed == c.seed);
  BOOST_TEST(back.model.span.init == 0.0);
  BOOST_TEST(to_yaml(back) == yaml);
  BOOST_TEST(yaml.find("\n    eps: 1.0") !=
             std::string::npos);  // nested, and a float to YAML 1.1 readers too
}

BOOST_AUTO_TEST_CASE(every_key_is_written_and_read) {
  for (const Key& key : config_keys()) {
    const std::string value = value_text(key, Config{});
    Config other;
    BOOST_TEST(store_value(key, YAML::Load(value), other), key.path);
    BOOST_TEST(to_yaml(Config{}).find(fmt::format("{}: {}\n", last_part(key.path), value)) !=
               std::string::npos);
  }
}

BOOST_AUTO_TEST_CASE(the_documentation_holds_the_generated_reference) {
  const std::string docs = file_text(FADE_SOURCE_DIR "/docs/configuration.md");
  BOOST_TEST((docs.find(config_reference()) != std::string::npos),
             "docs/configuration.md differs from config_reference(), which is\n" + config_reference());
}

BOOST_AUTO_TEST_CASE(the_configurations_shipped_are_valid) {
  int count = 0;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(FADE_SOURCE_DIR "/configs")) {
    if (entry.is_directory()) continue;
    const std::string path = entry.path().string();
    BOOST_TEST_CONTEXT(path) {
      BOOST_CHECK_NO_THROW(load_config(path));
      BOOST_TEST(file_text(path).starts_with("# "));
    }
    ++count;
  }
  BOOST_TEST(count >= 2);
}

BOOST_AUTO_TEST_SUITE_END()
