// The golden cases: losses and gradients of small models, computed in f64 by an independent program
// (tests/data/golden/NAME.yaml and NAME.safetensors: weight.*, grad.*, tokens, loss, aux).
#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>
#include <cmath>
#include <functional>

#include "cli/commands.h"
#include "cli/gradients.h"
#include "engine/product_precision.h"
#include "tests/ops/op_checks.h"
#include "tests/source_files.h"
#include "tests/support.h"
#include "train/checkpoint/weights.h"
#include "train/config/file.h"

namespace fade {
namespace {

constexpr const char* kNames[] = {"adaptive_span",       "compressive",         "expire_span",
                                  "expire_span_prenorm", "expire_span_qk_norm", "transformer_xl"};
const auto names = boost::unit_test::data::make(kNames);
const auto paths = boost::unit_test::data::make({"fused", "composed"});

struct Golden {
  std::string yaml;
  Config config;
  TensorFile file;
  std::vector<uint8_t> tokens;
  int blocks;

  Golden(const std::string& name, const std::string& path)
      : yaml((test::kRoot / "tests/data/golden" / (name + ".yaml")).string()),
        config(load_config(yaml, {"model.attention=" + path})),
        file(load_safetensors(std::filesystem::path(yaml).replace_extension("safetensors"))),
        tokens(file.at("tokens").to_vector<uint8_t>()),
        blocks(static_cast<int>(file.at("loss").numel())) {}

  // Writes the weights, under the names of the model, to a file.
  std::string weights(const test::TempDir& dir) const {
    const std::string prefix = "weight.";
    TensorFile out;
    for (const auto& [name, t] : file.tensors)
      if (name.starts_with(prefix)) out.tensors.push_back({name.substr(prefix.size()), t});
    save_safetensors(dir.path("weights.safetensors"), out);
    return dir.path("weights.safetensors");
  }
};

// ‖a − b‖ / ‖b‖ over a whole tensor, so that an entry which is zero except for rounding does not count alone;
// ‖a‖ if b is zero everywhere.
double relative_difference(const Tensor& a, const Tensor& b) {
  BOOST_REQUIRE(a.shape() == b.shape());
  const auto x = a.to(DType::f64).to_vector<double>(), y = b.to(DType::f64).to_vector<double>();
  double difference = 0, norm = 0;
  for (size_t i = 0; i < x.size(); ++i) {
    difference += (x[i] - y[i]) * (x[i] - y[i]);
    norm += y[i] * y[i];
  }
  return std::sqrt(difference / (norm > 0 ? norm : 1));
}

// Every loss, auxiliary loss and gradient; nothing may be missing on either side.
void check_against(const Golden& golden, const TensorFile& found,
                   const std::function<double(const std::string& name)>& tolerance) {
  size_t expected = 0;
  for (const auto& [name, t] : golden.file.tensors) {
    if (name == "tokens" || name.starts_with("weight.")) continue;
    ++expected;
    BOOST_REQUIRE(found.has(name));
    const double difference = relative_difference(found.at(name), t);
    BOOST_TEST(difference <= tolerance(name), name << " differs by " << difference);  // false for NaN
  }
  BOOST_TEST(found.tensors.size() == expected);
}

void check_against(const Golden& golden, const TensorFile& found, double tolerance) {
  check_against(golden, found, [=](const std::string&) { return tolerance; });
}

TensorFile run(const Golden& golden, NumberTypes types, Device device) {
  const test::TempDir dir;
  const Transformer model(golden.config.model, types, device, 1);
  const std::string weights = golden.weights(dir);
  load_weights(load_safetensors(weights), weights, model);
  return gradients(model, golden.tokens, golden.config.train.batch, golden.blocks);
}

// `fade grad` with these words, too.
TensorFile run_program(const Golden& golden, const std::vector<std::string>& more) {
  const test::TempDir dir;
  const std::string tokens =
      dir.write("tokens", {reinterpret_cast<const char*>(golden.tokens.data()), golden.tokens.size()});
  std::vector<std::string> words = {"fade",
                                    "grad",
                                    golden.yaml,
                                    "--weights",
                                    golden.weights(dir),
                                    "--tokens",
                                    tokens,
                                    "--blocks",
                                    std::to_string(golden.blocks),
                                    "--out",
                                    dir.path("out")};
  words.insert(words.end(), more.begin(), more.end());
  std::vector<char*> argv;
  for (std::string& word : words) argv.push_back(word.data());
  BOOST_REQUIRE(run_command_line(static_cast<int>(argv.size()), argv.data()) == 0);
  return load_safetensors(dir.path("out"));
}

}  // namespace

BOOST_AUTO_TEST_SUITE(golden)

// The two programs add in different orders: differences of a few units of 2^-53.
BOOST_DATA_TEST_CASE(f64_is_exact_except_for_rounding, names* paths, name, path) {
  const Golden golden(name, path);
  for (const Device device : test::available_devices())
    check_against(golden, run(golden, DType::f64, device), 1e-12);
}

// Rounding of 2^-24, grown over six blocks of two layers.
BOOST_DATA_TEST_CASE(f32_is_close, names* paths, name, path) {
  const Golden golden(name, path);
  for (const Device device : test::available_devices())
    check_against(golden, run(golden, DType::f32, device), 1e-4);
}

// A hidden state is off by about 2^-7 of its size: forty roundings of up to 2^-9 lie before it, as independent
// errors. So are the gradients of the output projection, and a loss, a mean over all positions, is off by less. Of
// the other gradients, most of the error are ReLUs that are switched: the share of those so near to 0 is 2^-7, too,
// and each is the whole of its part of a gradient; in two layers that is √(2·2^-7) = 0.125 of the norm.
BOOST_DATA_TEST_CASE(bf16_is_near, names, name) {
  if (!has_backend(Device::cuda)) return;
  const Golden golden(name, "fused");
  check_against(golden, run(golden, {DType::f32, DType::bf16}, Device::cuda), [](const std::string& of) {
    return of == "loss" ? 0x1p-8 : of.starts_with("grad.out.") ? 0x1p-6 : 0.2;
  });
}

BOOST_DATA_TEST_CASE(the_command_line_gives_the_same, names* paths, name, path) {
  const Golden golden(name, path);
  check_against(golden,
                run_program(golden, {"--dtype", "f64", "--set", std::string("model.attention=") + path}),
                1e-12);
}

BOOST_AUTO_TEST_CASE(the_command_line_gives_bf16) {
  if (!has_backend(Device::cuda)) return;
  const Golden golden("expire_span", "fused");
  const ProductPrecisionScope keep(product_precision());
  const TensorFile found = run_program(golden, {"--device", "cuda", "--set", "precision=bf16"}),
                   expected = run(golden, {DType::f32, DType::bf16}, Device::cuda);
  for (const auto& [name, t] : expected.tensors) {
    BOOST_TEST((found.at(name).dtype() == DType::f32));
    BOOST_TEST(relative_difference(found.at(name), t) < 1e-3, name);
  }
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace fade
