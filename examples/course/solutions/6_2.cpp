// Chapter 6, exercise 2: the rows that a tile of queries sees, gathered into full tiles and masked tiles; no
// sort is needed.
#include "ops/span_attention/naive.h"

#include "examples/course/course.h"

using namespace fade;

constexpr int M = 64, L = 256, R = 8, T = 16;

struct Rows {
  std::vector<int32_t> age;
  std::vector<double> span;
};

/// The rows of the chapter's program.
Rows chapter_rows() {
  Rows rows;
  for (int j = 0; j < L; ++j) rows.age.push_back(L - M - j);
  for (int j = 0; j < L; ++j) rows.span.push_back(512 * std::pow(uniform_f64({1, 2}, j), 4));
  return rows;
}

/// Tiles that T rows each fill, the last one perhaps in part.
int tiles_of(size_t rows) { return static_cast<int>((rows + T - 1) / T); }

int main() {
  const Rows rows = chapter_rows();
  const MaskFormula<double> mask(MaskKind::expiring, rows.span.data(), R);
  const auto m = [&](int i, int j) { return mask.value_in_reach(rows.age[j], rows.span[j], i); };
  int full_tiles = 0, masked_tiles = 0;
  size_t pairs = 0, gathered = 0;  // of a query and a row that it sees
  bool all_full = true;
  for (int first = 0; first < M; first += T) {
    std::vector<int> full, masked;  // the rows that the queries see in full, and in part
    for (int j = 0; j < L; ++j) {
      const Visibility seen = mask.visibility(rows.age[j], rows.span[j], {first, first + T - 1});
      if (seen == Visibility::full) full.push_back(j);
      if (seen == Visibility::partial) masked.push_back(j);
    }
    full_tiles += tiles_of(full.size());
    masked_tiles += tiles_of(masked.size());
    for (int i = first; i < first + T; ++i) {
      for (int j = 0; j < L; ++j) pairs += m(i, j) > 0;
      for (const int j : masked) gathered += m(i, j) > 0;
      for (const int j : full) all_full &= m(i, j) == 1;
      gathered += full.size();
    }
  }
  fmt::print("{} full tiles, {} masked tiles, of {} in all\n", full_tiles, masked_tiles, L / T * M / T);
  expect(pairs == gathered, "every pair with m > 0 is in a tile");
  expect(all_full, "in a full tile every mask is 1");
  expect(full_tiles + masked_tiles <= 11 + 16, "no more tiles than with rows sorted by expiry");
  expect(masked_tiles < 16, "and fewer in which a mask is evaluated");
}
