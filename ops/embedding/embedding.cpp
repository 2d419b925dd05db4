#include "ops/embedding/embedding.h"

#include "ops/check.h"
#include "ops/gather_rows/gather_rows_kernels.h"

namespace fade {

// gather_rows under its own name, and without padding: the kernels are that operation's.
Tensor embedding(const Tensor& table, const Tensor& tokens) {
  static constexpr OpDef op{"embedding", scatter_rows};
  check_dims("embedding", "the table", table, 2);
  return take_rows(op, table, tokens, 0);
}

}  // namespace fade
