#include "engine/gradcheck.h"

#include <algorithm>
#include <cmath>

#include "engine/gradcheck_causes.h"
#include "engine/median.h"

namespace fade {
namespace {

using Verdict = ComparedElement::Verdict;

void check_options(const GradcheckOptions& options, size_t inputs) {
  if (!(options.step > 0 && options.step < 1)) fail("gradcheck: step {} (needs 0 < step < 1)", options.step);
  if (!(options.tolerance > 0 && options.tolerance < 1))
    fail("gradcheck: tolerance {} (needs 0 < tolerance < 1)", options.tolerance);
  if (options.max_elements < 1) fail("gradcheck: max_elements {} (needs at least 1)", options.max_elements);
  for (const int k : options.zero_gradient)
    if (k < 0 || static_cast<size_t>(k) >= inputs)
      fail("gradcheck: zero_gradient names input {}, there are {} (they count from 0)", k, inputs);
}

// All elements of a small input; of a large one the first, the last, and a random one in each part between.
std::vector<int64_t> chosen(int64_t count, int64_t most, RngKey key) {
  const int64_t n = std::min(count, most);
  std::vector<int64_t> elements(static_cast<size_t>(n));
  for (int64_t i = 0; i < n; ++i) {
    const int64_t begin = i * count / n, size = (i + 1) * count / n - begin;
    const double u = i == 0 ? 0 : uniform_f64(key, static_cast<uint64_t>(i));
    elements[static_cast<size_t>(i)] =
        i + 1 == n && n > 1 ? count - 1 : begin + static_cast<int64_t>(u * static_cast<double>(size));
  }
  return elements;
}

double median_or_zero(const std::vector<double>& v) { return v.empty() ? 0 : median(v); }

// Compares the gradients of one input.
class Comparison {
 public:
  Comparison(const Differences& d, size_t k, const GradcheckOptions& options)
      : d_(d), k_(k), options_(options) {}

  ComparedInput compare(const Shape& shape, const std::optional<std::vector<double>>& gradient) {
    ComparedInput in{shape, gradient.has_value(), {}, 0};
    const std::vector<int64_t> elements = chosen(shape.numel(), options_.max_elements, {options_.seed, k_});
    std::vector<Differences::Slope> slopes;
    std::vector<double> sizes, noises;
    for (const int64_t i : elements) {
      const Differences::Slope& s = slopes.emplace_back(d_.slope(k_, i, options_.step));
      slopes.back().parts = {};  // of no use here, and large
      if (!std::isfinite(s.value)) continue;
      noises.push_back(s.noise);
      if (std::abs(s.value) > s.noise) sizes.push_back(std::abs(s.value));
    }
    scale_ = median_or_zero(sizes);
    in.noise = median_or_zero(noises);
    for (size_t n = 0; n < elements.size(); ++n)
      in.elements.push_back(
          settle(elements[n], gradient ? (*gradient)[static_cast<size_t>(elements[n])] : 0, slopes[n]));
    return in;
  }

 private:
  double allowed(const Differences::Slope& s) const {
    return options_.tolerance * (std::abs(s.value) + scale_) + s.noise;
  }

  // Smaller steps tell a wrong gradient from a wrong slope: one near a kink, or of a function that bends much.
  ComparedElement settle(int64_t i, double gradient, Differences::Slope s) const {
    const auto agrees = [&] {  // NaN does not; where f is not finite, neither does an infinite slope
      return std::isfinite(s.value) && std::abs(gradient - s.value) <= allowed(s);
    };
    const auto result = [&](Verdict v) {
      return ComparedElement{i, gradient, s.value, allowed(s), v, s.low, s.high};
    };
    double bend = s.high - s.low;
    if (agrees() && options_.mean_at_kinks) return result(Verdict::right);
    if (agrees() && bend <= 0.1 * (std::abs(s.value) + scale_) + s.noise) return result(Verdict::right);
    bool kink = false;
    for (const double factor : {0.1, 0.01}) {
      s = d_.slope(k_, i, factor * options_.step);
      const double finer = s.high - s.low;  // a tenth where f is smooth, the same at a kink
      kink = finer > 0.3 * bend && finer > 4 * s.noise + allowed(s) && gradient >= s.low - allowed(s) &&
             gradient <= s.high + allowed(s);
      if (agrees() && (!kink || options_.mean_at_kinks)) return result(Verdict::right);
      bend = finer;
    }
    return result(kink ? Verdict::kink : std::isfinite(s.value) ? Verdict::wrong : Verdict::not_finite);
  }

  const Differences& d_;
  size_t k_;
  const GradcheckOptions& options_;
  double scale_ = 0;
};

double error_of(const ComparedElement& e) {
  const double error = std::abs(e.gradient - e.slope);
  return std::isnan(error) ? INFINITY : error;
}

std::string count_of(const ComparedInput& in) {
  return fmt::format("{} of {}{} elements", in.wrong(), in.elements.size(),
                     in.complete() ? "" : fmt::format(" compared (of {})", in.shape.numel()));
}

// The report of the first input with wrong elements.
std::string wrong_gradient(const std::vector<ComparedInput>& inputs, size_t k, const Differences& d,
                           double step) {
  const ComparedInput& in = inputs[k];
  const std::vector<ComparedElement> wrong = in.wrong_elements();
  const ComparedElement &first = wrong.front(), &worst = *std::ranges::max_element(wrong, {}, error_of);
  std::string text = fmt::format("gradcheck: {} of the gradient of input {} {} are wrong\n", count_of(in), k,
                                 in.shape.str());
  text += fmt::format("  first, {}: {:.12g}, differences give {:.12g}\n",
                      coordinates(in.shape, first.element), first.gradient, first.slope);
  text += fmt::format("  worst, {}: {:.12g}, differences give {:.12g}\n",
                      coordinates(in.shape, worst.element), worst.gradient, worst.slope);
  text += "  " + usual_cause(inputs, k, d, step);
  for (size_t j = k + 1; j < inputs.size(); ++j)
    if (inputs[j].wrong() > 0) text += fmt::format("\n  input {}: {} are wrong too", j, count_of(inputs[j]));
  return text;
}

// Elements at which no gradient can be checked.
std::string uncheckable(const ComparedInput& in, size_t k, const Differences& d, double step) {
  for (const ComparedElement& e : in.elements) {
    const std::string place = fmt::format("gradcheck: element {} of input {} (its value is {:.6g})",
                                          coordinates(in.shape, e.element), k, d.input(k, e.element));
    const double h = 0.02 * step * std::max(1.0, std::abs(d.input(k, e.element)));
    if (e.verdict == Verdict::kink)
      return fmt::format(
          "{} lies within {:.3g} of a kink or jump of f: the slope changes from {:.6g} to {:.6g}, and the "
          "gradient is {:.6g} (choose another point)",
          place, h, e.low, e.high, e.gradient);
    if (e.verdict == Verdict::not_finite)
      return fmt::format("{} lies within {:.3g} of a point where f is not finite (choose another point)",
                         place, h);
  }
  std::vector<double> sizes;
  for (const ComparedElement& e : in.elements)
    if (e.gradient != 0) sizes.push_back(std::abs(e.gradient));
  if (const double size = median_or_zero(sizes); in.noise > 0.01 * size && !sizes.empty())
    return fmt::format(
        "gradcheck: the results of f are so large that their rounding hides what input {} changes: gradients "
        "around {:.3g} (subtract a constant inside f, or choose another point)",
        k, size);
  return {};
}

std::string zero_or_not(const std::optional<std::vector<double>>& gradient, size_t k, bool declared) {
  const bool zero = !gradient || std::ranges::all_of(*gradient, [](double g) { return g == 0; });
  if (zero && !declared)
    return fmt::format(
        "gradcheck: the gradient of input {} is zero everywhere, and so are the differences: this checks nothing "
        "(choose another point; if zero is right, say .zero_gradient = {{{}}})",
        k, k);
  if (!zero && declared)
    return fmt::format(
        "gradcheck: the gradient of input {} is not zero everywhere (take it out of zero_gradient)", k);
  return {};
}

}  // namespace

std::string gradient_fault(const TensorsFunction& f, const std::vector<Tensor>& inputs,
                           const GradcheckOptions& options) {
  check_options(options, inputs.size());
  const Differences d(f, inputs, options.seed);
  const auto gradients = d.gradients();
  std::vector<ComparedInput> compared;
  for (size_t k = 0; k < inputs.size(); ++k)
    compared.push_back(Comparison(d, k, options).compare(inputs[k].shape(), gradients[k]));
  for (size_t k = 0; k < inputs.size(); ++k)
    if (compared[k].wrong() > 0) return wrong_gradient(compared, k, d, options.step);
  for (size_t k = 0; k < inputs.size(); ++k)
    if (std::string text = uncheckable(compared[k], k, d, options.step); !text.empty()) return text;
  const bool any_result = std::ranges::any_of(d.shapes(), [](const Shape& s) { return s.numel() > 0; });
  for (size_t k = 0; k < inputs.size(); ++k) {
    if (inputs[k].numel() == 0 || !any_result) continue;  // no gradient can arrive
    const bool declared = std::ranges::count(options.zero_gradient, static_cast<int>(k)) > 0;
    if (std::string text = zero_or_not(gradients[k], k, declared); !text.empty()) return text;
  }
  return {};
}

std::string gradient_fault(const TensorFunction& f, const std::vector<Tensor>& inputs,
                           const GradcheckOptions& options) {
  const TensorsFunction several = [&](const std::vector<Tensor>& in) { return std::vector<Tensor>{f(in)}; };
  return gradient_fault(several, inputs, options);
}

void gradcheck(const TensorsFunction& f, const std::vector<Tensor>& inputs, const GradcheckOptions& options) {
  if (const std::string fault = gradient_fault(f, inputs, options); !fault.empty()) throw Error(fault);
}

void gradcheck(const TensorFunction& f, const std::vector<Tensor>& inputs, const GradcheckOptions& options) {
  if (const std::string fault = gradient_fault(f, inputs, options); !fault.empty()) throw Error(fault);
}

}  // namespace fade
