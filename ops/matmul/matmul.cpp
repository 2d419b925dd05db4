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

// The result of a product, not yet computed.
Tensor result_of(const Tensor& a, const MatmulSizes& s) {
  Shape shape = batch_of(a);
  shape.append(matrix_of(a, s.transpose.a).rows);
  shape.append(s.n);
  return Tensor::empty(shape, a.dtype(), a.device());
}

// All batches of x as the rows of one matrix.
Tensor as_matrix(const Tensor& x) { return x.view({x.shape().numel(0, x.shape().dims() - 1), x.size(-1)}); }

std::string hint(const Tensor& a, const Tensor& b, Transpose t) {
  const int64_t k = matrix_of(a, t.a).columns;
  if (matrix_of(b, !t.b).rows == k)
    return t.b ? " (did you mean no transpose.b?)" : " (did you mean transpose.b?)";
  if (matrix_of(a, !t.a).columns == matrix_of(b, t.b).rows)
    return t.a ? " (did you mean no transpose.a?)" : " (did you mean transpose.a?)";
  return "";
}

MatmulSizes sizes_of(const Tensor& a, const Tensor& b, Transpose t) {
  check_given("matmul", "a", a);
  check_given("matmul", "b", b);
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
  // If b is shared, the batches of a are more rows of one product.
  return {.batch = shared_b ? 1 : batch,
          .m = shared_b ? batch * ma.rows : ma.rows,
          .n = mb.columns,
          .k = ma.columns,
          .transpose = t};
}

enum Saved : int { kA, kB };

// With y = A·B, A = op(a), B = op(b), and g [m, n] the gradient of y:
//   dA = g·Bᵀ [m, k] and dB = Aᵀ·g [k, n].
// Where an operand was transposed, its gradient is too: da = dAᵀ = B·gᵀ, db = dBᵀ = gᵀ·A.
void matmul_rule(BackwardCtx& ctx) {
  const auto t = ctx.attrs<Transpose>();
  const Tensor g = ctx.grad(), a = ctx.saved(kA), b = ctx.saved(kB);
  if (ctx.needs(0)) {
    if (t.a)
      matmul_into(b, g, {.a = t.b, .b = true}, ctx.into(0));
    else
      matmul_into(g, b, {.b = !t.b}, ctx.into(0));
  }
  if (!ctx.needs(1)) return;
  const bool shared_b = b.shape().dims() == 2;
  const Tensor A = shared_b ? as_matrix(a) : a, G = shared_b ? as_matrix(g) : g;
  if (t.b)
    matmul_into(G, A, {.a = true, .b = t.a}, ctx.into(1));
  else
    matmul_into(A, G, {.a = !t.a}, ctx.into(1));
}

constexpr OpDef kMatmul{"matmul", matmul_rule};

}  // namespace

void matmul_into(const Tensor& a, const Tensor& b, Transpose transpose, Out y) {
  matmul_kernel(a.device(), a, b, sizes_of(a, b, transpose), y);
}

void matmul_into(const Tensor& a, const Tensor& b, Transpose transpose, const GradientTarget& to) {
  MatmulSizes s = sizes_of(a, b, transpose);
  s.add = to.add;
  matmul_kernel(a.device(), a, b, s, to.tensor);
}

Tensor symmetric_matmul(const Tensor& a, const Tensor& b, Transpose transpose) {
  MatmulSizes s = sizes_of(a, b, transpose);
  if (s.m != s.n)
    fail("symmetric_matmul: {} x {}: a product of {} rows and {} columns is not symmetric (use matmul)",
         a.shape().str(), b.shape().str(), s.m, s.n);
  s.symmetric = true;
  const Tensor y = result_of(a, s);
  matmul_kernel(a.device(), a, b, s, y);
  return y;
}

Tensor matmul(const Tensor& a, const Tensor& b, Transpose t) {
  const MatmulSizes s = sizes_of(a, b, t);
  Tensor y = result_of(a, s);
  matmul_kernel(a.device(), a, b, s, y);
  record(kMatmul, y, {&a, &b}, {&a, &b}, t);
  return y;
}

}  // namespace fade
