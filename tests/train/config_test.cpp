// Configuration files: values, errors, and the agreement of code and documentation.
#include <fmt/format.h>

#include <array>
#include <boost/test/unit_test.hpp>
#include <limits>
#include <random>

#include "engine/io/utf8.h"
#include "tests/source_files.h"
#include "tests/support.h"
#include "train/config/file.h"
#include "train/config/schema.h"
#include "train/config/unread.h"

using namespace fade;
using test::contains;
using test::file_text;
using test::refusal;

namespace {

std::string refusal_of(const std::string& yaml, const std::vector<std::string>& overrides = {}) {
  return refusal([&] { parse_config(yaml, "c.yaml", overrides); });
}

const std::string minimal = "data: {path: corpus}\n";

/// A Markdown table of every key: allowed values, default, meaning. docs/configuration.md contains it.
std::string config_reference() {
  std::string table = "| key | allowed | default | meaning |\n|---|---|---|---|\n";
  const auto in_cell = [](std::string text) {  // a bare | would end the cell
    for (size_t bar = 0; (bar = text.find('|', bar)) != std::string::npos; bar += 2) text.insert(bar, "\\");
    return text;
  };
  const Config defaults;
  for (const Key& key : config_keys())
    table += fmt::format("| `{}` | {} | `{}` | {} |\n", key.path, in_cell(allowed_values(key)),
                         value_text(key, defaults), key.meaning);
  return table;
}

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
  BOOST_TEST(c.seed == std::numeric_limits<uint64_t>::max());
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

BOOST_AUTO_TEST_CASE(numbers_may_be_written_with_or_without_a_point) {
  for (const char* value : {"1e-6", "1.0e-6", "0.000001", "1E-6"})
    BOOST_TEST(parse_config(minimal, "c", {fmt::format("train.optimizer.lr={}", value)}).train.optimizer.lr ==
               1e-6);
}

BOOST_AUTO_TEST_CASE(every_number_has_limits_that_hold) {
  for (const Key& key : config_keys()) {
    const bool number =
        allowed_values(key).starts_with("a number") || allowed_values(key).starts_with("an integer");
    if (!number) continue;
    for (const char* absurd : {"-1", "1e300", "36893488147419103232"})
      BOOST_TEST(contains(override_refusal(fmt::format("{}={}", key.path, absurd)), "allowed: "),
                 key.path << '=' << absurd);
  }
}

BOOST_AUTO_TEST_CASE(keys_of_other_kinds_are_ignored) {
  BOOST_TEST(parse_config("model: {kind: transformer_xl, block: 10, max_span: 4, span: {init: 0}}", "c")
                 .model.block == 10);
}

BOOST_AUTO_TEST_CASE(overrides_without_effect_are_told) {
  const auto told = [](const std::string& yaml, const std::string& set) {
    const auto notes = unread_settings(parse_config(yaml, "c", {set}), {set});
    return notes.empty() ? "" : notes.front();
  };
  BOOST_TEST(told("data: {kind: recall}", "data.path=a") ==
             "--set data.path=a has no effect: data.kind is recall");
  BOOST_TEST(told(minimal, "data.recall.keys=3") ==
             "--set data.recall.keys=3 has no effect: data.kind is file");
  BOOST_TEST(told(minimal, "train.optimizer.momentum=0.9") ==
             "--set train.optimizer.momentum=0.9 has no effect: train.optimizer.kind is adam");
  for (const auto& [kind, read, unread] : std::vector<std::array<const char*, 3>>{
           {"transformer_xl", "model.block=8", "model.span.ramp=4"},
           {"adaptive_span", "model.span.ramp=4", "model.span.noisy=true"},
           {"expire_span", "model.span.noisy=true", "model.compress.rate=2"},
           {"compressive", "model.compress.rate=2", "model.span.loss=0"}}) {
    const std::string yaml = fmt::format("model: {{kind: {}}}", kind);
    BOOST_TEST(told(yaml, read) == "");
    BOOST_TEST(told(yaml, unread) == fmt::format("--set {} has no effect: model.kind is {}", unread, kind));
  }
}

// YAML's merge type: own keys win, then earlier maps; a merged section replaces none that is there.
BOOST_AUTO_TEST_CASE(maps_are_merged) {
  const Config c = parse_config(R"(
x-small: &small {hidden: 32, heads: 2, block: 16, span: &span {ramp: 8, pre_div: 2}}
x-deep: &deep {layers: 12, hidden: 48, <<: {ff: 7}}
model:
  <<: [*small, *deep]
  block: 24
  span: {<<: *span, ramp: 9}
train: {<<: {steps: 5}}
)",
                                "c");
  BOOST_TEST(c.model.hidden == 32);
  BOOST_TEST(c.model.heads == 2);
  BOOST_TEST(c.model.layers == 12);
  BOOST_TEST(c.model.ff == 7);
  BOOST_TEST(c.model.block == 24);
  BOOST_TEST(c.model.span.ramp == 9);
  BOOST_TEST(c.model.span.pre_div == 2);
  BOOST_TEST(c.train.steps == 5);
  BOOST_TEST(
      parse_config("x-b: &b {span: {ramp: 8}}\nmodel: {<<: *b, span: {loss: 0}}", "c").model.span.ramp ==
      SpanConfig{}.ramp);
  // A map inside itself, and one that would be merged 2^40 times.
  BOOST_TEST(parse_config("model: &m {layers: 3, <<: *m}", "c").model.layers == 3);
  std::string yaml = "x-0: &a0 {layers: 5}\n";
  for (int i = 1; i <= 40; ++i) yaml += fmt::format("x-{0}: &a{0} {{<<: [*a{1}, *a{1}]}}\n", i, i - 1);
  BOOST_TEST(parse_config(yaml + "model: {<<: *a40}\n", "c").model.layers == 5);
}

BOOST_AUTO_TEST_CASE(deep_nesting_and_empty_text_are_refused) {
  BOOST_TEST(refusal_of("").starts_with("c.yaml: empty"));
  BOOST_TEST(refusal_of(std::string(100'000, '[')).starts_with("c.yaml:1: not YAML: "));
}

BOOST_AUTO_TEST_CASE(errors_stay_on_one_line_of_sensible_length) {
  const std::string message = refusal_of("model: {kind: \"" + std::string(5000, 'x') + "\\n\"}");
  BOOST_TEST(message.size() < 250u);
  BOOST_TEST(refusal_of("model: {kind: \"a\\nb\"}").find('\n') == std::string::npos);
}

BOOST_AUTO_TEST_CASE(unreadable_files_are_refused) {
  const test::TempDir dir;
  const auto load = [](const std::string& path) { return refusal([&] { load_config(path); }); };
  BOOST_TEST(load(dir.path("none.yaml")).starts_with(dir.path("none.yaml") + ": no such file"));
  BOOST_TEST(load(dir.path()).starts_with(dir.path() + ": a directory"));
  BOOST_TEST(load(dir.write("empty.yaml", "")).starts_with(dir.path("empty.yaml") + ": empty"));
  BOOST_TEST(contains(load(dir.write("large.yaml", std::string(2 << 20, '#'))), "longer than"));
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
  BOOST_TEST(contains(yaml, "\n    eps: 1.0"));  // nested, and a float to YAML 1.1 readers too
}

// A file's name may be any bytes but NUL, and those of a path must come back: the corpus is opened by it.
BOOST_AUTO_TEST_CASE(the_bytes_of_a_path_come_back) {
  std::string all;
  for (int c = 1; c < 256; ++c) all += static_cast<char>(c);
  for (const std::string& path :
       {std::string("caf\xe9.txt"), all, std::string("\xc3"), std::string("\xff\xfe")}) {
    const std::string yaml = to_yaml(parse_config("seed: 1", "c", {"data.path=" + path}));
    BOOST_TEST(find_invalid_utf8(yaml) == std::string::npos);  // it also stands in JSON, in model.safetensors
    BOOST_TEST(parse_config(yaml, "written").data.path == path);
    BOOST_TEST(to_yaml(parse_config(yaml, "written")) == yaml);
  }
  BOOST_TEST(contains(to_yaml(parse_config("seed: 1", "c", {"data.path=caf\xe9"})),
                      "path: !!binary \"Y2Fm6Q==\"  # caf\\xe9\n"));
  BOOST_TEST(parse_config("data: {path: caf\xc3\xa9}", "c").data.path == "caf\xc3\xa9");
}

BOOST_AUTO_TEST_CASE(every_key_is_written_and_read) {
  for (const Key& key : config_keys()) {
    const std::string value = value_text(key, Config{});
    Config other;
    BOOST_TEST(store_value(key, YAML::Load(value), other), key.path);
    BOOST_TEST(contains(to_yaml(Config{}), fmt::format("{}: {}\n", last_part(key.path), value)));
  }
}

BOOST_AUTO_TEST_CASE(the_documentation_holds_the_generated_reference) {
  const std::string docs = test::source_text("docs/configuration.md");
  BOOST_TEST(contains(docs, config_reference()),
             "docs/configuration.md differs from the table of the code, which is\n" + config_reference());
}

BOOST_AUTO_TEST_CASE(the_configurations_shipped_are_valid) {
  int count = 0;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(test::kRoot / "configs")) {
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
