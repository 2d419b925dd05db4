// Printing and .npy files against NumPy itself, where python3 has it. Without it: print_test, npy_test.
#include <boost/test/unit_test.hpp>
#include <cmath>
#include <cstdio>
#include <cstdlib>

#include "engine/io/npy.h"
#include "engine/rng.h"
#include "tests/identical.h"
#include "tests/source_files.h"
#include "tests/support.h"

namespace fade {
namespace {

using test::identical;

const std::vector<Shape> kShapes{
    {},       {0},       {2, 0},     {1},           {7},          {40},
    {3, 5},   {2, 3, 4}, {1, 1, 12}, {2, 2, 2, 3},  {1000},       {1001},
    {40, 30}, {4, 500},  {500, 4},   {12, 2, 7, 9}, {7, 7, 7, 7}, {2, 1, 2, 1, 2, 1}};

/// Values of one kind: random, of a range of magnitudes, or special.
struct Kind {
  const char* name;
  double (*value)(double u, int64_t i);  ///< from a random number in [0, 1) and the place
};
const Kind kKinds[] = {
    {"uniform", [](double u, int64_t) { return 2 * u - 1; }},
    {"wide", [](double u, int64_t) { return 800 * u + 1; }},
    {"whole", [](double u, int64_t) { return std::floor(200 * u) - 100; }},
    {"quarters", [](double u, int64_t) { return std::floor(100 * u) / 4; }},
    {"magnitudes", [](double u, int64_t i) { return (i % 2 ? -1 : 1) * std::pow(10, 20 * u - 10); }},
    {"large", [](double u, int64_t) { return 9e7 * (1 + u); }},
    {"six_digits", [](double u, int64_t) { return 1e5 * (9 + 2 * u); }},
    {"tiny", [](double u, int64_t) { return 1e-40 * u; }},
    {"near_1e-4", [](double u, int64_t) { return 1e-4 * (u + 0.5); }},
    {"specials", [](double u, int64_t i) { return i % 5 == 0   ? NAN
                                                  : i % 7 == 3 ? -INFINITY
                                                               : 10 * u; }},
    {"only_specials", [](double u, int64_t) { return double{u < 0.5 ? NAN : INFINITY}; }},
    {"zeros", [](double u, int64_t) { return u < 0.5 ? -0.0 : 0.0; }},
    {"ones_and_specials", [](double u, int64_t) { return u < 0.3 ? INFINITY : 1.0; }},
    {"bytes", [](double u, int64_t) { return std::floor(256 * u); }},
};

bool holds(DType type, const Kind& kind) {
  const std::string name = kind.name;
  if (type == DType::u8) return name == "bytes";
  return type != DType::i32 || name == "whole" || name == "bytes" || name == "large";
}

/// Every combination of type, kind and shape.
std::vector<NamedTensor> tensors() {
  std::vector<NamedTensor> all;
  for (const DType type : {DType::f32, DType::f64, DType::i32, DType::u8})
    for (const Kind& kind : kKinds)
      for (const Shape& shape : kShapes) {
        if (!holds(type, kind)) continue;
        std::vector<double> values(static_cast<size_t>(shape.numel()));
        const RngKey key{all.size(), 0};
        for (size_t i = 0; i < values.size(); ++i)
          values[i] = kind.value(uniform_f64(key, i), static_cast<int64_t>(i));
        all.push_back({fmt::format("{}_{}_{}", all.size(), name_of(type), kind.name),
                       Tensor::from(values, shape).to(type)});
      }
  return all;
}

/// `t` in this format must be the text of the file, then type and shape.
void must_print(const Tensor& t, const char* format, const std::string& path) {
  const std::string wanted =
      fmt::format("{} {} {}", test::file_text(path), name_of(t.dtype()), t.shape().str());
  const std::string text = fmt::format(fmt::runtime(format), t);
  BOOST_TEST((text == wanted), path << ": " << text << "\nNumPy: " << wanted);
}

/// A Python that has NumPy: the first on the path, or the system's, for which packages install it. Or empty.
std::string python_with_numpy() {
  for (const std::string python : {"python3", "/usr/bin/python3"})
    if (std::system((python + " -c 'import numpy' >/dev/null 2>&1").c_str()) == 0) return python;
  return "";
}

/// A folder with what NumPy made of `written`; false as a condition where there is no NumPy.
struct Peer {
  test::TempDir dir;
  std::string python = python_with_numpy();
  bool there = !python.empty();
  explicit Peer(const std::vector<NamedTensor>& written) {
    if (!there) {
      std::puts("NumPy is not installed");  // (ctest knows these words: the test is skipped)
      return;
    }
    for (const auto& [name, t] : written) save_npy(dir.path(name + ".npy"), t);
    const std::string call =
        fmt::format("{} {}/tests/engine/numpy_peer.py {}", python, test::kRoot.string(), dir.path());
    BOOST_REQUIRE(std::system(call.c_str()) == 0);
  }
  Tensor load(const std::string& name) const { return load_npy(dir.path(name + ".npy")); }
  std::string refusal(const std::string& name) const {
    return test::refusal([&] { load(name); });
  }
};

}  // namespace

BOOST_AUTO_TEST_SUITE(numpy)

BOOST_AUTO_TEST_CASE(arrays_print_as_in_numpy_and_survive_it) {
  const std::vector<NamedTensor> written = tensors();
  const Peer peer(written);
  if (!peer.there) return;
  size_t compared = 0;
  for (const auto& [name, t] : written) {
    BOOST_TEST(identical(peer.load(name), t), name);
    BOOST_TEST(identical(peer.load(name + ".again"), t), name);
    if (!std::filesystem::exists(peer.dir.path(name + ".txt"))) continue;
    must_print(t, "{}", peer.dir.path(name + ".txt"));
    must_print(t, "{:.3}", peer.dir.path(name + ".3.txt"));
    ++compared;
  }
  BOOST_TEST(compared > written.size() / 2);
}

BOOST_AUTO_TEST_CASE(arrays_of_other_types_are_converted_or_refused) {
  const Peer peer({});
  if (!peer.there) return;
  for (const char* type : {"f4", "f8", "f2", "b1", "i1", "u1", "i2", "u2", "i4", "u4", "i8", "u8"}) {
    const Tensor t = peer.load(std::string("made-") + type);
    BOOST_TEST(identical(t.to(DType::f64), peer.load(std::string("made-") + type + ".f8")), type);
  }
  for (const char* version : {"version-2", "version-3"})
    BOOST_TEST(identical(peer.load(version), Tensor::from(std::vector<int32_t>{0, 1, 2, 3, 4, 5}, {2, 3})));
  BOOST_TEST((peer.load("fortran-row").shape() == Shape{1, 3}));
  BOOST_TEST(test::contains(peer.refusal("fortran"), "Fortran's order (save np.ascontiguousarray(x))"));
  BOOST_TEST(
      test::contains(peer.refusal("big"), "an array of >f4, which no tensor holds (save x.astype('<f4'))"));
  BOOST_TEST(test::contains(peer.refusal("complex"), "an array of <c8"));
  BOOST_TEST(test::contains(peer.refusal("structured"), "a structured type"));
  BOOST_TEST(test::contains(peer.refusal("large"), "element 2 is 1099511627776, which does not fit i32"));
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace fade
