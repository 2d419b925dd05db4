#include "ops/embedding/embedding.h"

#include "ops/check.h"
#include "ops/gather_rows/gather_rows.h"

namespace fade {
namespace {

constexpr OpDef kEmbedding{"embedding", scatter_rows};

}  // namespace

// gather_rows under its own name and without padding; the kernels are those of gather_rows.
Tensor embedding(const Tensor& table, const Tensor& tokens) {
  check_dims("embedding", "the table", table, 2);
  return take_rows(kEmbedding, "token", table, tokens, 0);
}

}  // namespace fade
