#include "tests/ops/op_case.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "engine/rng.h"

namespace fade::test {
namespace {

std::vector<OpCase>& table() {
  static std::vector<OpCase> cases;
  return cases;
}

// Each case has its own stream of random numbers, so that a new case does not change the others.
uint64_t stream_of(std::string_view name) {
  uint64_t h = 14695981039346656037u;  // FNV-1a: unlike std::hash, the same on every machine
  for (const char c : name) h = (h ^ static_cast<unsigned char>(c)) * 1099511628211u;
  return h;
}

double away_from(double v, double kink) {
  const double d = v - kink;
  return std::abs(d) >= kKinkDistance ? v : kink + (d < 0 ? -kKinkDistance : kKinkDistance);
}

}  // namespace

Fill uniform_values(double low, double high, const Values& kinks) {
  return [=](int64_t, double u) {
    double v = low + (high - low) * u;
    for (const double kink : kinks) v = away_from(v, kink);
    return v;
  };
}

Fill between_integers(int low, int high) {
  return [=](int64_t, double u) {
    const double v = low + (high - low) * u;
    return std::floor(v) + kKinkDistance + (v - std::floor(v)) * (1 - 2 * kKinkDistance);
  };
}

Fill distinct_values(int64_t count) {
  // A step that shares no factor with `count` visits every position once.
  int64_t step = count / 2 + 1;
  while (std::gcd(step, count) != 1) ++step;
  return [=](int64_t i, double u) { return static_cast<double>(i * step % count) * 0.1 - 1 + 0.05 * u; };
}

Fill these(const Values& values) {
  return [=](int64_t i, double) { return values.at(static_cast<size_t>(i)); };
}

bool add_cases(std::string_view folder, std::vector<OpCase> cases) {
  for (OpCase& c : cases) {
    for (const OpCase& other : table())
      if (other.name == c.name) fail("case {}: defined twice (rename one)", c.name);
    c.folder = folder;
    table().push_back(std::move(c));
  }
  return true;
}

const std::vector<OpCase>& op_cases() { return table(); }

Arrays input_values(const OpCase& c) {
  Arrays all;
  for (size_t k = 0; k < c.inputs.size(); ++k) {
    const RngKey key{k, stream_of(c.name)};
    Values& v = all.emplace_back(static_cast<size_t>(c.inputs[k].shape.numel()));
    for (size_t i = 0; i < v.size(); ++i)
      v[i] = static_cast<float>(c.inputs[k].fill(static_cast<int64_t>(i), uniform_f64(key, i)));
  }
  return all;
}

Tensors input_tensors(const OpCase& c, const Arrays& values, DType dtype, Device device) {
  Tensors all;
  for (size_t k = 0; k < values.size(); ++k) {
    const bool integers = c.inputs[k].role == Role::integers;
    Tensor t = Tensor::from(values[k], c.inputs[k].shape).to(integers ? DType::i32 : dtype).to(device);
    t.set_requires_grad(c.inputs[k].role == Role::differentiable);
    all.push_back(t);
  }
  return all;
}

int64_t offset(const Shape& shape, std::initializer_list<int64_t> index) {
  int64_t at = 0;
  int d = 0;
  for (const int64_t i : index) at = at * shape[d++] + i;
  return at;
}

Values tabulate(const Shape& shape, const std::function<double(const std::array<int64_t, 4>&)>& f) {
  Values v(static_cast<size_t>(shape.numel()));
  std::array<int64_t, 4> index{};
  for (double& x : v) {
    x = f(index);
    for (int d = shape.dims() - 1; d >= 0 && ++index[static_cast<size_t>(d)] == shape[d]; --d)
      index[static_cast<size_t>(d)] = 0;
  }
  return v;
}

Tensor shifted(const Tensor& integers, int by) {
  if (by == 0) return integers;
  std::vector<int32_t> values = integers.to_vector<int32_t>();
  for (int32_t& v : values) v += by;
  return Tensor::from(values, integers.shape()).to(integers.device());
}

}  // namespace fade::test
