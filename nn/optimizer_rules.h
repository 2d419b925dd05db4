// One update rule an optimizer, per scalar, shared by every device. p: parameter, g: gradient (after clipping
// and weight decay of the L2 kind), s: the optimizer's memory of this parameter.
#pragma once

#include <cmath>

#include "engine/host_device.h"

namespace fade {

/// What gradients are multiplied by before an update: the mean over accumulated blocks, cut to a largest
/// norm.
struct GradScale {
  double share = 1;  ///< 1/(blocks whose gradients were added up)
  double clip = 0;   ///< largest norm of the mean gradient; 0: no limit

  /// `norm` is that of the added gradients.
  FADE_HD double factor(double norm) const { return clip > 0 && norm * share > clip ? clip / norm : share; }
};

/// Stochastic gradient descent with momentum (PyTorch's form): s ← μ·s + g,  p ← p − lr·s.
struct SgdRule {
  static constexpr int states = 1;
  double lr, momentum;
  template <class T>
  FADE_HD void operator()(T& p, T g, T* s) const {
    s[0] = static_cast<T>(momentum) * s[0] + g;
    p -= static_cast<T>(lr) * s[0];
  }
};

/// Adam (Kingma and Ba 2015): s0 ← β1·s0 + (1 − β1)·g,  s1 ← β2·s1 + (1 − β2)·g²,
/// p ← p·(1 − decay) − step·s0/(sqrt(s1)/correction + eps). step = lr/(1 − β1^t), correction = sqrt(1 −
/// β2^t); decay = lr·weight_decay makes it AdamW (Loshchilov and Hutter 2019), 0 plain Adam.
struct AdamRule {
  static constexpr int states = 2;
  double beta1, beta2, eps, step, correction, decay;
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
  static constexpr int states = 1;
  double lr, eps;
  template <class T>
  FADE_HD void operator()(T& p, T g, T* s) const {
    s[0] += g * g;
    p -= static_cast<T>(lr) * g / (std::sqrt(s[0]) + static_cast<T>(eps));
  }
};

}  // namespace fade
