// The libraries of products on the emulated device: the CPU's BLAS on factors that are rounded as a GPU
// would, and refusals where a GPU's library refuses.
#include <cblas.h>

#include <vector>

#include "engine/cuda/blas_libraries.h"
#include "engine/cuda/emulate/memory.h"
#include "engine/cuda/tf32.h"
#include "engine/error.h"

namespace fade {
namespace {

CBLAS_TRANSPOSE operation(bool transpose) { return transpose ? CblasTrans : CblasNoTrans; }

/// A matrix of a batch: `rows` numbers in a column.
struct Place {
  int64_t rows, columns, ld;
};

Place place_of_a(const BlasProduct& p) {
  return {p.transpose_a ? p.k : p.m, p.transpose_a ? p.m : p.k, p.ld_a};
}
Place place_of_b(const BlasProduct& p) {
  return {p.transpose_b ? p.n : p.k, p.transpose_b ? p.k : p.n, p.ld_b};
}

int size(int64_t n) { return static_cast<int>(n); }

/// The factors of one product as tensor cores read them: bf16, or f32 rounded to TF32. No gaps between columns.
template <class T>
std::vector<float> factors(const T* from, const Place& at) {
  std::vector<float> values(static_cast<size_t>(at.rows * at.columns));
  for (int64_t j = 0; j < at.columns; ++j)
    for (int64_t i = 0; i < at.rows; ++i) {
      const float x = from[j * at.ld + i];
      values[static_cast<size_t>(j * at.rows + i)] = std::is_same_v<T, bf16> ? x : to_tf32(x);
    }
  return values;
}

/// One product on tensor cores: summed in f32, with the epilogue in f32, rounded to the result's type once.
template <class T, class R>
void rounded_product(const BlasProduct& p, const T* a, const T* b, R* c) {
  const Place at_a = place_of_a(p), at_b = place_of_b(p);
  const std::vector<float> fa = factors(a, at_a), fb = factors(b, at_b);
  std::vector<float> sums(static_cast<size_t>(p.m * p.n));
  cblas_sgemm(CblasColMajor, operation(p.transpose_a), operation(p.transpose_b), size(p.m), size(p.n),
              size(p.k), 1, fa.data(), size(at_a.rows), fb.data(), size(at_b.rows), 0, sums.data(),
              size(p.m));
  const R* bias = static_cast<const R*>(p.bias);
  for (int64_t j = 0; j < p.n; ++j)
    for (int64_t i = 0; i < p.m; ++i) {
      R& to = c[j * p.ld_c + i];
      float y = sums[static_cast<size_t>(j * p.m + i)];
      if (p.add) y += static_cast<float>(to);
      if (bias) y += static_cast<float>(bias[i]);
      to = static_cast<R>(p.relu && y < 0 ? 0 : y);
    }
}

/// One product of f32 or f64 as they are.
template <class T, class Gemm>
void exact_product(const BlasProduct& p, const T* a, const T* b, T* c, const Gemm& gemm) {
  gemm(CblasColMajor, operation(p.transpose_a), operation(p.transpose_b), size(p.m), size(p.n), size(p.k), 1,
       a, size(p.ld_a), b, size(p.ld_b), p.add, c, size(p.ld_c));
}

// One after the other: OpenBLAS built without threads must not be called from several threads.
template <class T, class R, class F>
void for_each_of_batch(const BlasProduct& p, const F& f) {
  const emulate::MemoryAccess access;
  for (int64_t i = 0; i < p.batch; ++i)
    f(static_cast<const T*>(p.a) + i * p.step_a, static_cast<const T*>(p.b) + i * p.step_b,
      static_cast<R*>(p.c) + i * p.step_c);
}

void products(const BlasProduct& p) {
  if (p.factors == DType::f64)
    for_each_of_batch<double, double>(p, [&](auto... x) { exact_product(p, x..., cblas_dgemm); });
  else if (!on_tensor_cores(p, product_precision()))
    for_each_of_batch<float, float>(p, [&](auto... x) { exact_product(p, x..., cblas_sgemm); });
  else if (p.factors == DType::f32)
    for_each_of_batch<float, float>(p, [&](auto... x) { rounded_product(p, x...); });
  else if (p.result == DType::f32)
    for_each_of_batch<bf16, float>(p, [&](auto... x) { rounded_product(p, x...); });
  else
    for_each_of_batch<bf16, bf16>(p, [&](auto... x) { rounded_product(p, x...); });
}

void check_types(const char* library, const BlasProduct& p) {
  const bool known = p.factors == DType::f32 || p.factors == DType::f64 || p.factors == DType::bf16;
  if (!known || (p.result != p.factors && !(p.factors == DType::bf16 && p.result == DType::f32)))
    fail("{}: a product of {} with a result of {}: CUBLAS_STATUS_NOT_SUPPORTED", library, name_of(p.factors),
         name_of(p.result));
}

// Of cuBLAS and cuBLASLt: CUBLAS_STATUS_INVALID_VALUE.
void check_sizes(const char* library, const BlasProduct& p) {
  const auto column = [&](const char* name, int64_t rows, int64_t ld) {
    if (ld < rows)
      fail("{}: ld_{} is {}, a column has {} numbers: CUBLAS_STATUS_INVALID_VALUE", library, name, ld, rows);
  };
  column("a", place_of_a(p).rows, p.ld_a);
  column("b", place_of_b(p).rows, p.ld_b);
  column("c", p.m, p.ld_c);
}

}  // namespace

void blas_product(const BlasProduct& p) {
  check_types("cublas", p);
  check_sizes("cublas", p);
  if (p.bias || p.relu) fail("cublas: has no bias and no relu");
  products(p);
}

// The manual's requirements of tensor cores ("cuBLASLt API", cublasLtMatmul; kernels of 16-byte loads):
// addresses and distances of columns and matrices are multiples of 16 bytes. A bias is for one matrix.
bool blas_lt_product(const BlasProduct& p) {
  check_types("cublasLt", p);
  check_sizes("cublasLt", p);
  if ((p.bias || p.relu) && p.add) fail("cublasLt: bias and relu of a product that is added to a result");
  if (p.bias && p.batch > 1)
    fail("cublasLt: a bias for {} products needs CUBLASLT_MATMUL_DESC_BIAS_BATCH_STRIDE", p.batch);
  const auto refused = [](const void* at, int64_t elements, DType type) {
    constexpr uintptr_t kBytes = 16;
    return reinterpret_cast<uintptr_t>(at) % kBytes != 0 ||
           static_cast<size_t>(elements) * size_of(type) % kBytes != 0;
  };
  if (refused(p.a, p.ld_a, p.factors) || refused(p.b, p.ld_b, p.factors) || refused(p.c, p.ld_c, p.result) ||
      refused(p.bias, 0, p.result))
    return false;
  if (p.batch > 1 && (refused(p.a, p.step_a, p.factors) || refused(p.b, p.step_b, p.factors) ||
                      refused(p.c, p.step_c, p.result)))
    return false;
  products(p);
  return true;
}

}  // namespace fade
