// One update rule per optimizer, for one scalar, shared by all devices. p: parameter; g: gradient, after
// clipping and L2 weight decay; s: state of the optimizer for this parameter. `names` begin the names of the
// states in checkpoints: rules with the same names mean the same by them.
#pragma once

#include <array>
#include <cmath>
#include <variant>

#include "engine/host_device.h"

namespace fade {

/// The factor on gradients before an update: the mean over accumulated blocks, clipped to a largest norm.
struct GradScale {
  double share = 1;  ///< 1/(number of blocks whose gradients were added up)
  double clip = 0;   ///< largest norm of the mean gradient; 0: no limit

  /// `norm`: of the sum of the gradients.
  FADE_HD double factor(double norm) const { return clip > 0 && norm * share > clip ? clip / norm : share; }
};

/// Stochastic gradient descent with momentum (PyTorch's form): s ← μ·s + g,  p ← p − lr·s.
struct SgdRule {
  static constexpr int states = 1;                                             ///< s
  static constexpr std::array<const char*, states> names = {"sgd.momentum."};  ///< in checkpoints
  double lr;                                                                   ///< learning rate of this step
  double momentum;                                                             ///< μ
  /// One update of p and s.
  template <class T>
  FADE_HD void operator()(T& p, T g, T* s) const {
    s[0] = static_cast<T>(momentum) * s[0] + g;
    p -= static_cast<T>(lr) * s[0];
  }
};

/// Adam (Kingma and Ba 2015): s0 ← β1·s0 + (1 − β1)·g,  s1 ← β2·s1 + (1 − β2)·g², p ← p·(1 − decay) −
/// step·s0/(sqrt(s1)/correction + eps),  step = lr/(1 − β1^t),  correction = sqrt(1 − β2^t). decay =
/// lr·weight_decay: AdamW (Loshchilov and Hutter 2019); decay = 0: Adam.
struct AdamRule {
  static constexpr int states = 2;                                                  ///< s0, s1
  static constexpr std::array<const char*, states> names = {"adam.m.", "adam.v."};  ///< in checkpoints
  double beta1;                                                                     ///< β1
  double beta2;                                                                     ///< β2
  double eps;         ///< keeps the divisor above 0
  double step;        ///< lr/(1 − β1^t)
  double correction;  ///< sqrt(1 − β2^t)
  double decay;       ///< lr·weight_decay
  /// One update of p, s0 and s1.
  template <class T>
  FADE_HD void operator()(T& p, T g, T* s) const {
    s[0] = static_cast<T>(beta1) * s[0] + static_cast<T>(1 - beta1) * g;
    s[1] = static_cast<T>(beta2) * s[1] + static_cast<T>(1 - beta2) * g * g;
    p = p * static_cast<T>(1 - decay) -
        static_cast<T>(step) * s[0] / (std::sqrt(s[1]) / static_cast<T>(correction) + static_cast<T>(eps));
  }
};

/// Adagrad (Duchi, Hazan and Singer 2011): s ← s + g²,  p ← p − lr·g/(sqrt(s) + eps).
struct AdagradRule {
  static constexpr int states = 1;                                            ///< s
  static constexpr std::array<const char*, states> names = {"adagrad.sum."};  ///< in checkpoints
  double lr;                                                                  ///< learning rate of this step
  double eps;                                                                 ///< keeps the divisor above 0
  /// One update of p and s.
  template <class T>
  FADE_HD void operator()(T& p, T g, T* s) const {
    s[0] += g * g;
    p -= static_cast<T>(lr) * g / (std::sqrt(s[0]) + static_cast<T>(eps));
  }
};

/// The average of gradients that Muon makes orthogonal (nn/muon.h): s ← μ·s + (1 − μ)·g, and in p's place
/// Nesterov's look ahead, p ← μ·s + (1 − μ)·g.
struct NesterovRule {
  static constexpr int states = 1;                                              ///< s
  static constexpr std::array<const char*, states> names = {"muon.momentum."};  ///< in checkpoints
  double momentum;                                                              ///< μ
  /// One update of s, and p.
  template <class T>
  FADE_HD void operator()(T& p, T g, T* s) const {
    const T next = static_cast<T>(1 - momentum) * g;
    s[0] = static_cast<T>(momentum) * s[0] + next;
    p = static_cast<T>(momentum) * s[0] + next;
  }
};

/// The rule of one step.
using OptimizerRule = std::variant<SgdRule, AdamRule, AdagradRule, NesterovRule>;

}  // namespace fade
