// Rows of a table, looked up by token.
#pragma once

#include "engine/tensor.h"

namespace fade {

/// y[n] = table[tokens[n]].
///   table [V, H], f32 or f64, tokens i32 [...] with 0 ≤ token < V → y [..., H]
/// dtable[v] = Σ of g[n] over n with tokens[n] = v, added in the same order on every run.   Saves tokens.
/// Refuses a token outside the table, naming its value and place (on the device, when the host next waits).
/// Throws for other shapes or types. The kernels are those of gather_rows.
Tensor embedding(const Tensor& table, const Tensor& tokens);

}  // namespace fade
