// The precision of products of f32 matrices on CUDA devices.
#pragma once

namespace fade {

/// What products multiply.
enum class ProductPrecision {
  f32,  ///< exact products, summed in f32
  tf32  ///< factors are rounded to 10 bits behind the leading one (TF32), their products are summed in f32
};

/// What matmul, the operations on it, and span_attention do with f32 on CUDA devices; f64 and the CPU are
/// always exact. One setting for the whole process, read when an operation runs: backward may have another
/// one than forward.
void set_product_precision(ProductPrecision precision);
/// f32 unless it was set.
ProductPrecision product_precision();

/// While in scope, products have this precision.
class ProductPrecisionScope {
 public:
  /// From now on.
  explicit ProductPrecisionScope(ProductPrecision precision) : before_(product_precision()) {
    set_product_precision(precision);
  }
  /// As before.
  ~ProductPrecisionScope() { set_product_precision(before_); }
  ProductPrecisionScope(const ProductPrecisionScope&) = delete;
  ProductPrecisionScope& operator=(const ProductPrecisionScope&) = delete;

 private:
  ProductPrecision before_;
};

}  // namespace fade
