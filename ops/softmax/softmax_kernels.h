// Kernels of softmax. A row is the last dimension.
#pragma once

#include "engine/kernel.h"

namespace fade {

/// y = softmax of each row of x, over the columns with mask > 0 if there is a mask (x [B, K, M, L],
/// mask [B, M, L]).
inline constinit Kernel<void(const Tensor& x, const Tensor& mask, Out y)> softmax_forward{"softmax"};
/// dx = y·(g − Σ g·y).
inline constinit Kernel<void(const Tensor& g, const Tensor& y, Out dx)> softmax_backward{"softmax"};

/// y = log softmax of each row of x.
inline constinit Kernel<void(const Tensor& x, Out y)> log_softmax_forward{"log_softmax"};
/// dx = g − e^y·Σ g.
inline constinit Kernel<void(const Tensor& g, const Tensor& y, Out dx)> log_softmax_backward{"log_softmax"};

/// y = log Σ e^x of each row of x, which is not empty; one number per row.
inline constinit Kernel<void(const Tensor& x, Out y)> logsumexp_forward{"logsumexp"};
/// dx = g·e^(x − y), 0 where y is −inf; g and y have one number per row.
inline constinit Kernel<void(const Tensor& g, const Tensor& x, const Tensor& y, Out dx)> logsumexp_backward{
    "logsumexp"};

}  // namespace fade
