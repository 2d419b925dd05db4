#include "engine/gradcheck_causes.h"

#include <algorithm>
#include <cmath>

namespace fade {
namespace {

constexpr size_t kLooked = 32;  // of the wrong elements, where each needs more calls of f

bool near(double a, double b, double allowed) { return std::abs(a - b) <= allowed; }

bool at_kink(const ComparedElement& e) { return e.verdict == ComparedElement::Verdict::kink; }

// Of all elements but those at kinks, which have no slope.
template <class Matches>
bool all_of(const ComparedInput& in, const Matches& matches) {
  return std::ranges::all_of(in.elements, [&](const ComparedElement& e) { return at_kink(e) || matches(e); });
}

bool zero(const ComparedInput& in) {
  return all_of(in, [](const ComparedElement& e) { return e.gradient == 0; });
}

std::string not_a_number(const ComparedInput& in) {
  for (const ComparedElement& e : in.elements)
    if (e.wrong() && !std::isfinite(e.gradient))
      return "a gradient is not finite: look for a division by 0, a logarithm or root of 0, or memory that the "
             "rule never writes";
  return {};
}

std::string nothing_there(const ComparedInput& in) {
  if (!in.arrived)
    return "no gradient arrives: pass this input to record, and let the rule call ctx.add for it";
  if (zero(in)) return "the gradient is zero everywhere: does the rule's kernel write it?";
  return {};
}

// The gradients are those of another input, and the other way round.
std::string swapped(std::span<const ComparedInput> inputs, size_t k) {
  const auto gives = [&](size_t a, size_t b) {
    for (size_t i = 0; i < inputs[a].elements.size(); ++i)
      if (!near(inputs[a].elements[i].gradient, inputs[b].elements[i].slope, inputs[b].elements[i].allowed))
        return false;
    return true;
  };
  for (size_t j = 0; j < inputs.size(); ++j)
    if (j != k && inputs[j].shape == inputs[k].shape && inputs[j].wrong() > 0 && inputs[j].complete() &&
        inputs[k].complete() && gives(j, k) && gives(k, j))
      return fmt::format(
          "it has the gradient of input {0}, which has this one: "
          "exchange ctx.add({1}, ..) and ctx.add({2}, ..)",
          j, std::min(j, k), std::max(j, k));
  return {};
}

// Every gradient is the same multiple of the slope.
std::string constant_ratio(const ComparedInput& in) {
  const auto largest = std::ranges::max_element(in.elements, {}, [](const ComparedElement& e) {
    return std::isfinite(e.slope) && !at_kink(e) ? std::abs(e.slope) : 0;
  });
  const double ratio = largest->gradient / largest->slope;
  if (in.elements.size() < 2 || !std::isfinite(ratio)) return {};
  const double slack = 2 * (1 + std::abs(ratio));
  if (!all_of(in,
              [&](const ComparedElement& e) { return near(e.gradient, ratio * e.slope, slack * e.allowed); }))
    return {};
  if (near(ratio, -1, 1e-6)) return "the sign is wrong everywhere";
  std::string text = fmt::format("every element is {:.6g} times the right one: a missing factor", ratio);
  if (const double uses = std::round(1 / ratio); uses >= 2 && near(uses * ratio, 1, 1e-6))
    text += fmt::format(", a mean instead of a sum, or one of {} equal uses: their gradients add up", uses);
  return text;
}

// The gradient's memory is the slopes' in the order of the transposed last two dimensions.
std::string transposed(const ComparedInput& in) {
  if (in.shape.dims() < 2 || !in.complete()) return {};
  const int64_t rows = in.shape[-2], columns = in.shape[-1];
  if (rows < 2 || columns < 2) return {};
  const auto fits = [&](int64_t r, int64_t c) {  // each matrix, written as [c, r], is the transpose
    for (size_t at = 0; at < in.elements.size(); ++at) {
      const int64_t i = static_cast<int64_t>(at), matrix = i / (r * c), inside = i % (r * c);
      const int64_t other = matrix * r * c + inside % r * c + inside / r;
      const ComparedElement& e = in.elements[static_cast<size_t>(other)];
      if (!near(in.elements[at].gradient, e.slope, e.allowed)) return false;
    }
    return true;
  };
  if (!fits(rows, columns) && !fits(columns, rows)) return {};
  return "it is the transpose of the right one: a product with its factors, or an index with its rows and "
         "columns, in the wrong order";
}

// Which slice of a broadcast each element of the result lies in: how many elements before it come from the
// same element of the input.
std::vector<int64_t> slices(const Shape& input, const Shape& result) {
  const Strides stride = broadcast_strides(input, result);
  std::vector<int64_t> seen(static_cast<size_t>(input.numel())), slice(static_cast<size_t>(result.numel()));
  for (size_t o = 0; o < slice.size(); ++o) {
    int64_t at = 0, rest = static_cast<int64_t>(o);
    for (int d = result.dims() - 1; d >= 0; --d) {
      at += rest % result[d] * stride[static_cast<size_t>(d)];
      rest /= result[d];
    }
    slice[o] = seen[static_cast<size_t>(at)]++;
  }
  return slice;
}

std::string broadcast_dimensions(const Shape& input, const Shape& result) {
  std::string text;
  int count = 0;
  for (int d = 0; d < result.dims(); ++d) {
    const int own = d - (result.dims() - input.dims());
    if (own >= 0 && input[own] == result[d]) continue;
    text += fmt::format("{}{}", count++ ? ", " : "", d);
  }
  return fmt::format("dimension{} {}", count == 1 ? "" : "s", text);
}

// The gradient of an input that was broadcast is that of one slice, or that of one place where it was used.
std::string one_of_many(const ComparedInput& in, size_t k, const Differences& differences, double step) {
  const std::vector<ComparedElement> wrong = in.wrong_elements(kLooked);
  const Shape* result = differences.shapes().size() == 1 ? &differences.shapes()[0] : nullptr;
  if (result && (*result == in.shape || in.shape.numel() == 0 || !broadcasts(in.shape, *result)))
    result = nullptr;
  const std::vector<int64_t> slice = result ? slices(in.shape, *result) : std::vector<int64_t>();
  std::vector<bool> is_slice(result ? static_cast<size_t>(result->numel() / in.shape.numel()) : 0, true);
  bool one_use = true;
  for (const ComparedElement& e : wrong) {
    const std::vector<double> parts = differences.slope(k, e.element, step).parts;
    std::vector<double> sums(is_slice.size());
    int uses = 0;
    bool found = false;
    for (size_t o = 0; o < parts.size(); ++o) {
      if (result) sums[static_cast<size_t>(slice[o])] += parts[o];
      uses += parts[o] != 0;
      found |= parts[o] != 0 && near(parts[o], e.gradient, e.allowed);
    }
    for (size_t s = 0; s < sums.size(); ++s)
      is_slice[s] = is_slice[s] && near(sums[s], e.gradient, e.allowed);
    one_use &= found && uses > 1;
  }
  if (std::ranges::count(is_slice, true) > 0)
    return fmt::format(
        "it is the gradient of one slice along {} of the result {}, over which the input was broadcast: sum over "
        "all of them",
        broadcast_dimensions(in.shape, *result), result->str());
  if (one_use)
    return "it is the gradient of one of the places where the element is used, not the sum over all: add to the "
           "gradient (+=) instead of writing it";
  return {};
}

std::string listed(const std::vector<int64_t>& numbers) {
  std::string text;
  for (size_t i = 0; i < numbers.size() && i < 6; ++i) text += fmt::format("{}{}", i ? ", " : "", numbers[i]);
  return numbers.size() > 6 ? text + fmt::format(", .. {}", numbers.back()) : text;
}

// All elements with certain indices in one dimension are wrong, all others right.
std::string some_indices(const ComparedInput& in) {
  if (!in.complete() || std::ranges::any_of(in.elements, at_kink)) return {};
  for (int d = 0; d < in.shape.dims(); ++d) {
    const int64_t size = in.shape[d], step = in.shape.numel(d + 1, in.shape.dims());
    std::vector<int64_t> count(static_cast<size_t>(size)), bad;
    for (const ComparedElement& e : in.elements)
      if (e.wrong()) ++count[static_cast<size_t>(e.element / step % size)];
    bool whole = true;
    for (int64_t i = 0; i < size; ++i) {
      const int64_t n = count[static_cast<size_t>(i)];
      whole &= n == 0 || n == in.shape.numel() / size;
      if (n > 0) bad.push_back(i);
    }
    if (whole && std::ssize(bad) < size)
      return fmt::format(
          "only index {} of dimension {} (0 to {}) is wrong: a loop that ends early, or an offset",
          listed(bad), d, size - 1);
  }
  return {};
}

}  // namespace

int64_t ComparedInput::wrong() const { return std::ranges::count_if(elements, &ComparedElement::wrong); }

std::vector<ComparedElement> ComparedInput::wrong_elements(size_t most) const {
  std::vector<ComparedElement> found;
  for (const ComparedElement& e : elements)
    if (e.wrong() && found.size() < most) found.push_back(e);
  return found;
}

std::string coordinates(const Shape& shape, int64_t i) {
  std::string text;
  for (int d = shape.dims() - 1; d >= 0; --d) {
    text = fmt::format("{}{}{}", i % shape[d], text.empty() ? "" : ", ", text);
    i /= shape[d];
  }
  return fmt::format("[{}]", text);
}

std::string usual_cause(std::span<const ComparedInput> inputs, size_t k, const Differences& differences,
                        double step) {
  const ComparedInput& in = inputs[k];
  std::string cause = not_a_number(in);
  if (cause.empty()) cause = nothing_there(in);
  if (cause.empty()) cause = swapped(inputs, k);
  if (cause.empty()) cause = constant_ratio(in);
  if (cause.empty()) cause = transposed(in);
  if (cause.empty()) cause = one_of_many(in, k, differences, step);
  if (cause.empty()) cause = some_indices(in);
  return cause.empty() ? "no common mistake looks like this: work out the first wrong element by hand"
                       : cause;
}

}  // namespace fade
