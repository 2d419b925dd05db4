#include "ops/matmul/matmul.h"

#include "engine/tape.h"
#include "ops/check.h"

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
  if (shared_b) return {1, batch * ma.rows, mb.columns, ma.columns, 0, 0, 0, t};  // a's batches are more rows
  return {batch,
          ma.rows,
          mb.columns,
          ma.columns,
          ma.rows * ma.columns,
          mb.rows * mb.columns,
          ma.rows * mb.columns,
          t};
}

Tensor product(const Tensor& a, const Tensor& b, const MatmulSizes& s, const Shape& shape) {
  Tensor y = Tensor::empty(shape, a.dtype(), a.device());
  matmul_kernel(a.device(), a, b, y, s);
  return y;
}

// With y = op(a) op(b) and the gradient g [batch, m, n]:
//   d op(a) = g op(b)ᵀ [m, k];  if a was transposed, its gradient is the transpose of that: op(b) gᵀ [k, m].
constexpr OpDef kMatmul{
    "matmul", [](BackwardCtx& ctx) {
      const auto s = ctx.attrs<MatmulSizes>();
      const Tensor &g = ctx.grad(), a = ctx.saved(0), b = ctx.saved(1);
      const auto [ta, tb] = s.transpose;
      if (ctx.needs(0)) {
        ctx.add(0,
                ta ? product(b, g, {s.batch, s.k, s.m, s.n, s.stride_b, s.stride_y, s.stride_a, {tb, true}},
                             a.shape())
                   : product(g, b, {s.batch, s.m, s.k, s.n, s.stride_y, s.stride_b, s.stride_a, {false, !tb}},
                             a.shape()));
      }
      if (ctx.needs(1)) {
        ctx.add(1,
                tb ? product(g, a, {s.batch, s.n, s.k, s.m, s.stride_y, s.stride_a, s.stride_b, {true, ta}},
                             b.shape())
                   : product(a, g, {s.batch, s.k, s.n, s.m, s.stride_a, s.stride_y, s.stride_b, {!ta, false}},
                             b.shape()));
      }
    }};

}  // namespace

Tensor matmul(const Tensor& a, const Tensor& b, Transpose t) {
  const MatmulSizes s = sizes_of(a, b, t);
  Shape shape = batch_of(a);
  shape.append(matrix_of(a, t.a).rows);
  shape.append(s.n);
  Tensor y = product(a, b, s, shape);
  record(kMatmul, y, {&a, &b}, {&a, &b}, s);
  return y;
}

}  // namespace fade
