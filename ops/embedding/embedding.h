// Rows of a table, looked up by token.
#pragma once

#include "engine/tensor.h"

namespace fade {

/// y[n] = table[tokens[n]].
///   table [V, H], tokens i32 [...] with 0 ≤ token < V → y [..., H]
/// dtable[v] = Σ over n with tokens[n] = v of g[n], added in the same order on every run.   Saves tokens.
/// Throws on a token outside the table, naming its place and value. The kernels are gather_rows'.
Tensor embedding(const Tensor& table, const Tensor& tokens);

}  // namespace fade
