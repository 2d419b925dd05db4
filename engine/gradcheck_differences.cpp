#include "engine/gradcheck_differences.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "engine/finite.h"
#include "engine/tape.h"

namespace fade {
namespace {

// A result may be a sum of this many rounded terms, in the worst case.
constexpr double kRoundings = 128 * 0x1p-53;

// The last node of the tape: total + Σ cotangent·result. Its value is never read, its gradient is 1.
enum Saved : int { kCotangent };
constexpr OpDef kTotal{"gradcheck", [](BackwardCtx& ctx) {
                         ctx.add(0, ctx.grad());
                         ctx.add(1, ctx.saved(kCotangent));
                       }};

std::vector<double> joined(const std::vector<Tensor>& tensors) {
  std::vector<double> all;
  for (const Tensor& t : tensors) {
    const std::vector<double> values = t.to_vector<double>();
    all.insert(all.end(), values.begin(), values.end());
  }
  return all;
}

void check_inputs(const std::vector<Tensor>& inputs) {
  if (inputs.empty()) fail("gradcheck: there are no inputs (give the tensors to differentiate by)");
  for (size_t k = 0; k < inputs.size(); ++k) {
    const Tensor& x = inputs[k];
    if (!x) fail("gradcheck: input {} is an empty tensor (leave it out, and omit it inside f)", k);
    if (x.dtype() == DType::f32)
      fail("gradcheck: input {} is f32, differences need f64 (convert it with .to(DType::f64))", k);
    if (x.dtype() != DType::f64)
      fail("gradcheck: input {} is {}, which has no gradient (leave it out, and let f capture it)", k,
           name_of(x.dtype()));
    for (size_t j = 0; j < k; ++j)
      if (inputs[j].impl()->storage == x.impl()->storage)
        fail(
            "gradcheck: inputs {} and {} share memory: a step in one would be one in both (clone one of them)",
            j, k);
  }
}

}  // namespace

Tensor random_cotangent(const Shape& shape, RngKey key) {
  std::vector<double> v(static_cast<size_t>(shape.numel()));
  for (size_t i = 0; i < v.size(); ++i) {
    const double u = 2 * uniform_f64(key, i) - 1;
    v[i] = static_cast<float>(u < 0 ? u - 0.5 : u + 0.5);
  }
  return Tensor::from(v, shape);
}

Differences::Differences(const TensorsFunction& f, const std::vector<Tensor>& inputs, uint64_t seed)
    : f_(f), inputs_(inputs) {
  check_inputs(inputs);
  for (const Tensor& x : inputs) values_.push_back(x.to_vector<double>());
  const NoGrad off;
  const std::vector<Tensor> results = f(inputs);
  set_cotangents(results, seed);
  results_ = joined(results);
  const std::vector<double> again = evaluate();
  double largest = 0;
  for (const double y : results_) largest = std::max(largest, std::abs(y));
  for (size_t o = 0; o < again.size(); ++o)
    if (!(std::abs(again[o] - results_[o]) <= 1e-10 * largest))  // NaN, too
      fail(
          "gradcheck: f gives {} and then {} for the same inputs (let it use the same random key in each call)",
          results_[o], again[o]);
  for (size_t k = 0; k < inputs.size(); ++k)
    if (inputs[k].to_vector<double>() != values_[k] && not_finite(inputs[k]).empty())
      fail("gradcheck: f changes its input {} in place (let it change a clone)", k);
  for (const Tensor& x : inputs) {
    const TensorImpl& impl = *x.impl();
    borrowed_.push_back({x, x.grad(), impl.requires_grad, impl.tape_id, impl.slot, x.version()});
    Tensor(x).set_requires_grad().zero_grad();
  }
}

Differences::~Differences() {
  for (const Borrowed& b : borrowed_) {
    TensorImpl& impl = *b.tensor.impl();
    impl.grad = nullptr;
    if (b.grad) b.tensor.set_grad(b.grad);
    impl.requires_grad = b.requires_grad;
    impl.tape_id = b.tape_id;
    impl.slot = b.slot;
    impl.storage->version = b.version;  // the values are those of before, so a tape may go on with them
  }
}

void Differences::set_cotangents(const std::vector<Tensor>& results, uint64_t seed) {
  if (results.empty()) fail("gradcheck: f returns no tensor (return what is to be differentiated)");
  for (size_t o = 0; o < results.size(); ++o) {
    const Tensor& y = results[o];
    if (!y) fail("gradcheck: result {} of f is an empty tensor (leave it out)", o);
    if (y.dtype() != DType::f64)
      fail("gradcheck: result {} of f is {}, needs f64 (leave it out, or do not convert inside f)", o,
           name_of(y.dtype()));
    if (const std::string what = not_finite(y); !what.empty())
      fail("gradcheck: result {} of f is not finite at these inputs: {} (choose others)", o, what);
    shapes_.push_back(y.shape());
    const Tensor cotangent = random_cotangent(y.shape(), {seed, o});
    cotangents_.push_back(cotangent.to(y.device()));
    const std::vector<double> values = cotangent.to_vector<double>();
    cotangent_.insert(cotangent_.end(), values.begin(), values.end());
  }
}

std::vector<Tensor> Differences::run() const {
  std::vector<Tensor> results = f_(inputs_);
  bool same = results.size() == shapes_.size();
  for (size_t o = 0; same && o < results.size(); ++o)
    same = results[o] && results[o].dtype() == DType::f64 && results[o].shape() == shapes_[o];
  if (!same) fail("gradcheck: f does not always return tensors of the same shapes (fix what they depend on)");
  return results;
}

std::vector<double> Differences::evaluate() const {
  const NoGrad off;
  return joined(run());
}

void Differences::write(size_t k, int64_t i, double value) const {
  const Tensor& x = inputs_[k];
  backend(x.device())
      .copy(static_cast<std::byte*>(x.mutate_bytes()) + sizeof(double) * static_cast<size_t>(i), x.device(),
            &value, Device::cpu, sizeof value);
}

std::vector<double> Differences::evaluate_at(size_t k, int64_t i, double value) const {
  struct Restore {
    const Differences& d;
    size_t k;
    int64_t i;
    ~Restore() { d.write(k, i, d.input(k, i)); }
  };
  const Restore restore{*this, k, i};
  write(k, i, value);
  return evaluate();
}

std::vector<std::optional<std::vector<double>>> Differences::gradients() const {
  Tape tape;
  const Recording on(tape);
  const std::vector<Tensor> results = run();
  Tensor total = Tensor::zeros({}, DType::f64);
  for (size_t o = 0; o < results.size(); ++o) {
    Tensor next = Tensor::zeros({}, DType::f64);
    record(kTotal, next, {&total, &results[o]}, {&cotangents_[o]});
    total = next;
  }
  if (tape.has(total)) tape.backward(total);
  std::vector<std::optional<std::vector<double>>> all;
  for (const Tensor& x : inputs_) {
    all.push_back(x.grad() ? std::optional(x.grad().to_vector<double>()) : std::nullopt);
    x.zero_grad();
  }
  return all;
}

Differences::Slope Differences::slope(size_t k, int64_t i, double step) const {
  const double x = input(k, i), h = step * std::max(1.0, std::abs(x));
  const std::array<std::vector<double>, 5> y{evaluate_at(k, i, x - 2 * h), evaluate_at(k, i, x - h), results_,
                                             evaluate_at(k, i, x + h), evaluate_at(k, i, x + 2 * h)};
  Slope s{0, 0, 0, 0, std::vector<double>(cotangent_.size())};
  std::array<double, 4> between{};
  for (size_t o = 0; o < cotangent_.size(); ++o) {
    const double c = cotangent_[o];
    double largest = 0;
    for (size_t p = 0; p < between.size(); ++p) {
      if (y[p][o] == y[p + 1][o]) continue;
      between[p] += c * (y[p + 1][o] - y[p][o]) / h;
      largest = std::max({largest, std::abs(y[p][o]), std::abs(y[p + 1][o])});
    }
    s.parts[o] = c * ((y[0][o] - y[4][o]) + 8 * (y[3][o] - y[1][o])) / (12 * h);
    s.value += s.parts[o];
    s.noise += kRoundings * std::abs(c) * largest / h;
  }
  const auto [low, high] = std::minmax_element(between.begin(), between.end());
  s.low = *low;
  s.high = *high;
  return s;
}

}  // namespace fade
