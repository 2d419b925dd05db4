#include "engine/cuda/blas_libraries.h"

namespace fade {

bool cuda_product(const BlasProduct& p) {
  const ProductPath path = product_path(p, product_precision());
  BlasProduct now = p;
  if (!path.epilogue) {
    now.bias = nullptr;
    now.relu = false;
  }
  if (path.lt && blas_lt_product(now)) return path.epilogue;
  blas_product(now);
  return !p.bias && !p.relu;
}

}  // namespace fade
