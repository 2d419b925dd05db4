// For gradcheck: the gradients of Σ cotangent·result, from the tape and from differences.
#pragma once

#include <optional>

#include "engine/gradcheck.h"

namespace fade {

/// f at inputs of f64, which are borrowed: they become leaves, their memory is changed element by element, and
/// the destructor leaves them as they were.
class Differences {
 public:
  /// Throws when f cannot be checked at these inputs (see gradcheck).
  Differences(const TensorsFunction& f, const std::vector<Tensor>& inputs, uint64_t seed);
  ~Differences();
  Differences(const Differences&) = delete;
  Differences& operator=(const Differences&) = delete;

  /// The tape's gradient of each input, row-major; nullopt where none arrived.
  std::vector<std::optional<std::vector<double>>> gradients() const;

  struct Slope {
    double value;  ///< d Σ cotangent·result / d element, from five points
    double low,
        high;      ///< the least and the greatest slope between neighbours of the five: equal without bends
    double noise;  ///< how far the rounding of f may have moved them
    std::vector<double> parts;  ///< the terms of `value`: one per element of the results
  };
  /// The slope in element `i` of input `k`, with a step of h = step·max(1, |x|).
  Slope slope(size_t k, int64_t i, double step) const;

  double input(size_t k, int64_t i) const { return values_[k][static_cast<size_t>(i)]; }
  const std::vector<Shape>& shapes() const { return shapes_; }  ///< of the results

 private:
  /// What is changed in an input, to be restored.
  struct Borrowed {
    Tensor tensor, grad;
    bool requires_grad;
    uint32_t tape_id, slot, version;
  };
  std::vector<Tensor> run() const;
  std::vector<double> evaluate() const;
  std::vector<double> evaluate_at(size_t k, int64_t i, double value) const;
  void write(size_t k, int64_t i, double value) const;
  void set_cotangents(const std::vector<Tensor>& results, uint64_t seed);

  const TensorsFunction& f_;
  const std::vector<Tensor>& inputs_;
  std::vector<Borrowed> borrowed_;
  std::vector<std::vector<double>> values_;  ///< of the inputs
  std::vector<Shape> shapes_;
  std::vector<Tensor> cotangents_;  ///< on the results' devices
  std::vector<double> cotangent_;   ///< all of them, one after the other
  std::vector<double> results_;     ///< at the unchanged inputs
};

}  // namespace fade
