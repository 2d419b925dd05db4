#include "ops/matmul/matmul.h"

#include "engine/tape.h"
#include "ops/check.h"
#include "ops/matmul/matmul_kernels.h"

namespace fade {
namespace {

struct Matrix {
  int64_t rows, columns;
};

Matrix matrix_of(const Tensor& x, bool transpose) {
  const int64_t r = x.size(-2), c = x.size(-1);
  return transpose ? Matrix{c, r} : Matrix{r, c};
}

Shape batch_of(const Tensor& x) {
  Shape s;
  for (int i = 0; i < x.shape().dims() - 2; ++i) s.append(x.size(i));
  return s;
}

std::string hint(const Tensor& a, const Tensor& b, Transpose t) {
  const int64_t k = matrix_of(a, t.a).columns;
  if (matrix_of(b, !t.b).rows == k)
    return t.b ? " (did you mean no transpose.b?)" : " (did you mean transpose.b?)";
  if (matrix_of(a, !t.a).columns == matrix_of(b, t.b).rows)
    return t.a ? " (did you mean no transpose.a?)" : " (did you mean transpose.a?)";
  return "";
}

MatmulSizes sizes_of(const Tensor& a, const Tensor& b, Transpose t) {
  if (a.shape().dims() < 2 || b.shape().dims() < 2)
    fail("matmul: {} x {}: both need at least 2 dimensions (reshape a vector to [1,n] or [n,1])",
         a.shape().str(), b.shape().str());
  check_same_type("matmul", a, b);
  const Matrix ma = matrix_of(a, t.a), mb = matrix_of(b, t.b);
  if (ma.columns != mb.rows)
    fail("matmul: {} x {}: inner sizes {} and {} differ{}", a.shape().str(), b.shape().str(), ma.columns,
         mb.rows, hint(a, b, t));
  const bool shared_b = b.shape().dims() == 2 && a.shape().dims() > 2;
  if (!shared_b && batch_of(a) != batch_of(b))
    fail("matmul: {} x {}: batch sizes differ (expand one of them, or give b two dimensions)",
         a.shape().str(), b.shape().str());
  if (shared_b && t.a)
    fail("matmul: {} x {}: transpose.a needs a batch in b too", a.shape().str(), b.shape().str());
  const int64_t batch = batch_of(a).numel();
  if (shared_b)  // the batches of a are more rows of one product
    return {.batch = 1,
            .m = batch * ma.rows,
            .n = mb.columns,
            .k = ma.columns,
            .stride_a = 0,
            .stride_b = 0,
            .stride_y = 0,
            .transpose = t};
  return {.batch = batch,
          .m = ma.rows,
          .n = mb.columns,
          .k = ma.columns,
          .stride_a = ma.rows * ma.columns,
          .stride_b = mb.rows * mb.columns,
          .stride_y = ma.rows * mb.columns,
          .transpose = t};
}

enum Saved : int { kA, kB };

// An operand of a product in the gradient rule; its matrices are `stride` elements apart.
struct Operand {
  Tensor tensor;
  int64_t stride;
  bool transpose;
  Operand transposed() const { return {tensor, stride, !transpose}; }
};

// y = op(a)·op(b), y's matrices [m, n] `stride` elements apart.
Tensor product(const Tensor& y, int64_t stride, const Operand& a, const Operand& b, int64_t batch, int64_t m,
               int64_t n, int64_t k) {
  matmul_kernel(y.device(), a.tensor, b.tensor,
                {.batch = batch,
                 .m = m,
                 .n = n,
                 .k = k,
                 .stride_a = a.stride,
                 .stride_b = b.stride,
                 .stride_y = stride,
                 .transpose = {a.transpose, b.transpose}},
                y);
  return y;
}

// With y = A·B, A = op(a), B = op(b), and g [m, n] the gradient of y:
//   dA = g·Bᵀ [m, k] and dB = Aᵀ·g [k, n].
// Where an operand was transposed, its gradient is too: da = dAᵀ = B·gᵀ, db = dBᵀ = gᵀ·A.
void matmul_rule(BackwardCtx& ctx) {
  const auto s = ctx.attrs<MatmulSizes>();
  const Operand g{ctx.grad(), s.stride_y, false};
  const Operand A{ctx.saved(kA), s.stride_a, s.transpose.a}, B{ctx.saved(kB), s.stride_b, s.transpose.b};
  if (ctx.needs(0)) {
    const Tensor da = ctx.empty_for(0);
    ctx.add(0, A.transpose ? product(da, A.stride, B, g.transposed(), s.batch, s.k, s.m, s.n)
                           : product(da, A.stride, g, B.transposed(), s.batch, s.m, s.k, s.n));
  }
  if (ctx.needs(1)) {
    const Tensor db = ctx.empty_for(1);
    ctx.add(1, B.transpose ? product(db, B.stride, g.transposed(), A, s.batch, s.n, s.k, s.m)
                           : product(db, B.stride, A.transposed(), g, s.batch, s.k, s.n, s.m));
  }
}

constexpr OpDef kMatmul{"matmul", matmul_rule};

}  // namespace

Tensor matmul(const Tensor& a, const Tensor& b, Transpose t) {
  const MatmulSizes s = sizes_of(a, b, t);
  Shape shape = batch_of(a);
  shape.append(matrix_of(a, t.a).rows);
  shape.append(s.n);
  Tensor y = Tensor::empty(shape, a.dtype(), a.device());
  matmul_kernel(a.device(), a, b, s, y);
  record(kMatmul, y, {&a, &b}, {&a, &b}, s);
  return y;
}

}  // namespace fade
