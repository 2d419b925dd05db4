#include <cblas.h>

#include <vector>

#include "engine/cuda/blas.h"
#include "engine/cuda/emulate/memory.h"
#include "engine/cuda/tf32.h"
#include "engine/product_precision.h"

namespace fade {
namespace {

template <class T, class Gemm>
void product(const BlasProduct<T>& p, Gemm gemm) {
  const auto flag = [](bool transpose) { return transpose ? CblasTrans : CblasNoTrans; };
  const auto size = [](int64_t n) { return static_cast<int>(n); };
  const emulate::MemoryAccess access;
  // One after the other: OpenBLAS built without threads must not be called from several threads.
  for (int64_t i = 0; i < p.batch; ++i)
    gemm(CblasColMajor, flag(p.transpose_a), flag(p.transpose_b), size(p.m), size(p.n), size(p.k), p.alpha,
         p.a + i * p.step_a, size(p.ld_a), p.b + i * p.step_b, size(p.ld_b), p.beta, p.c + i * p.step_c,
         size(p.ld_c));
}

/// A matrix with its numbers rounded to TF32, its columns without gaps.
class Rounded {
 public:
  void take(const float* from, int64_t rows, int64_t columns, int64_t ld) {
    values_.resize(static_cast<size_t>(rows * columns));
    for (int64_t j = 0; j < columns; ++j)
      for (int64_t i = 0; i < rows; ++i)
        values_[static_cast<size_t>(j * rows + i)] = to_tf32(from[j * ld + i]);
  }
  const float* data() const { return values_.data(); }

 private:
  std::vector<float> values_;
};

void product_of_rounded(const BlasProduct<float>& p) {
  Rounded a, b;
  const emulate::MemoryAccess access;
  for (int64_t i = 0; i < p.batch; ++i) {
    BlasProduct<float> one = p;
    one.batch = 1;
    one.ld_a = p.transpose_a ? p.k : p.m;
    one.ld_b = p.transpose_b ? p.n : p.k;
    a.take(p.a + i * p.step_a, one.ld_a, p.transpose_a ? p.m : p.k, p.ld_a);
    b.take(p.b + i * p.step_b, one.ld_b, p.transpose_b ? p.k : p.n, p.ld_b);
    one.a = a.data();
    one.b = b.data();
    one.c = p.c + i * p.step_c;
    product(one, cblas_sgemm);
  }
}

}  // namespace

void cuda_product(const BlasProduct<float>& p) {
  product_precision() == ProductPrecision::tf32 ? product_of_rounded(p) : product(p, cblas_sgemm);
}
void cuda_product(const BlasProduct<double>& p) { product(p, cblas_dgemm); }

}  // namespace fade
