// Chapter 6: expire-span attention over tiles, without an array of queries × rows. One stream, one head, no
// position term. docs/course/6_fused_kernel.md
#include "ops/span_attention/naive.h"

#include "examples/course/attention_inputs.h"
#include "examples/course/course.h"

using namespace fade;
using Vector = std::vector<double>;

// M queries; L rows: L − M of memory, then the block itself. D features, ramp R, tiles of T queries × T rows.
constexpr int M = 64, L = 256, D = 8, R = 8, T = 16;

/// The sums of one query over the rows that it has met so far.
struct Sums {
  double row_max = -std::numeric_limits<double>::infinity(), N = 0, Z = 0, O[D] = {};
};

/// Adds T rows to the sums of query i.
void add_rows(const NaiveInputs& in, int i, const int* rows, bool full, Sums& sums) {
  double s[T], m[T], row_max = sums.row_max;
  for (int n = 0; n < T; ++n) {
    const int j = rows[n], distance = in.age[j] + i;
    const double r = in.span[j] - distance, *q = &in.q[i * D], *key = &in.kv[j * 2 * D];
    m[n] = full ? 1 : distance < 1 ? 0 : std::clamp(r / R + 1, 0., 1.);   // F1
    s[n] = std::inner_product(q, q + D, key, 0.) / std::sqrt(double{D});  // F2
    if (m[n] > 0) row_max = std::max(row_max, s[n]);
  }
  if (std::isinf(row_max)) return;  // this query has not seen any row yet
  const double rescale = std::exp(sums.row_max - row_max);
  sums.row_max = row_max, sums.N *= rescale, sums.Z *= rescale;
  for (double& o : sums.O) o *= rescale;
  for (int n = 0; n < T; ++n) {
    const double u = m[n] > 0 ? std::exp(s[n] - row_max) : 0;                            // F3
    sums.Z += u, sums.N += m[n] * u;                                                     // F4
    for (int d = 0; d < D; ++d) sums.O[d] += m[n] * u * in.kv[rows[n] * 2 * D + D + d];  // F5
  }
}

/// Attention over the rows in the order `rows`. Counts the tiles: dead, full, on the ramp.
Vector tiled(const NaiveInputs& in, const std::vector<int>& rows, int (&tiles)[3]) {
  Vector out(M * D);
  for (int first = 0; first < M; first += T) {  // a tile of queries: first .. last
    const int last = first + T - 1;
    std::vector<Sums> sums(T);
    for (int begin = 0; begin < L; begin += T) {  // a tile of rows
      bool dead = true, full = true;
      for (int n = begin; n < begin + T; ++n) {
        const int age = in.age[rows[n]];
        const double e = in.span[rows[n]];
        dead &= e <= age + first - R || age + last < 1;  // expired, or in the future: no query sees it
        full &= e > age + last && age + first >= 1;      // every query sees all of it
      }
      ++tiles[dead ? 0 : full ? 1 : 2];
      if (dead) continue;
      for (int t = 0; t < T; ++t) add_rows(in, first + t, &rows[begin], full, sums[t]);
    }
    for (int t = 0; t < T; ++t)
      if (const double den = sums[t].N + 1e-8 * sums[t].Z; den > 0)
        for (int d = 0; d < D; ++d) out[(first + t) * D + d] = sums[t].O[d] / den;  // F6
  }
  return out;
}

bool same(const Vector& a, const Vector& b) {
  return std::ranges::equal(a, b, [](double x, double y) { return close(x, y, 1e-12); });
}

int main() {
  const auto span = [](double u) { return 512 * std::pow(u, 4); };  // most are short
  const NaiveInputs in = attention_inputs(M, L, D, R, span);        // ages 192 .. 1, 0 .. −63

  const Vector naive = naive_span_attention(in, Vector(M * D)).out;
  const PackedRows packed{Tensor::from(in.start, {2}), Tensor::from(in.age, {L}), 1, M, L - M};
  const SpanMask mask = SpanMask::expiring(Tensor::from(in.span, {L}), R);
  const Vector library =
      span_attention(Tensor::from(in.q, {M, D}), Tensor::from(in.kv, {L, 2 * D}), {}, packed, mask, {})
          .to_vector<double>();
  std::vector<int> rows(L);
  std::iota(rows.begin(), rows.end(), 0);
  const auto expiry = [&](int j) { return in.span[j] - in.age[j]; };  // the last query before the ramp
  for (const char* order : {"age", "expiry"}) {
    if (*order == 'e') std::ranges::sort(rows.begin(), rows.end() - M, {}, expiry);  // those of memory
    int tiles[3] = {};
    const Vector out = tiled(in, rows, tiles);
    fmt::print("rows by {}: {} tiles dead, {} full, {} on the ramp\n", order, tiles[0], tiles[1], tiles[2]);
    fmt::print("  output of naive.h: {}\n", same(out, naive) ? "the same" : "another");
    fmt::print("  output of the library: {}\n", same(out, library) ? "the same" : "another");
  }
  fmt::print("bytes of an array of queries x rows: {}; of out and lse: {}\n", M * L * 8, M * (D + 1) * 8);
}
