// Muon: updates of weight matrices whose singular values are all about one (Jordan 2024). Derivation: muon.md.
#pragma once

#include <span>

#include "nn/optimizer.h"

namespace fade {

/// The orthogonal factor U·Vᵀ of each matrix m = U·Σ·Vᵀ, roughly: singular values of at least 1/500 of m's
/// Frobenius norm become 0.68 to 1.21, smaller ones grow less. Five iterations of
///   x ← 3.4445·x − 4.775·(x·xᵀ)·x + 2.0315·(x·xᵀ)²·x,   from x = m/(|m| + 1e-12).
///   m [n, rows, columns], f32 or f64 → the same shape, a constant for the gradient. Zeros stay zeros.
Tensor orthogonalise(const Tensor& m);

/// One update of weight matrices p [rows, columns], with the learning rate lr of this step and μ = muon_momentum:
///   s ← μ·s + (1 − μ)·g,   u = μ·s + (1 − μ)·g,
///   p ← p·(1 − lr·weight_decay) − lr·0.2·sqrt(max(rows, columns))·orthogonalise(u).
/// g: the gradient times the scale's factor for `norm`; nothing changes if that is not finite. The slots hold p
/// and s of leaves [matrices·rows, columns, ..], of one type; further dimensions count as columns.
void muon_step(std::span<const OptimizerSlot> slots, const OptimizerConfig& config, double lr,
               const GradScale& scale, const Tensor& norm);

}  // namespace fade
