// The visible rows of a stream's context, gathered into tiles. Included once per instruction set.
#if defined(FADE_SPAN_ATTENTION_CPU_TILES_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef FADE_SPAN_ATTENTION_CPU_TILES_INL_H_
#undef FADE_SPAN_ATTENTION_CPU_TILES_INL_H_
#else
#define FADE_SPAN_ATTENTION_CPU_TILES_INL_H_
#endif

#include <hwy/highway.h>

#include <algorithm>
#include <limits>
#include <utility>

#include "ops/span_attention/cpu/arrays.h"

HWY_BEFORE_NAMESPACE();
namespace fade::HWY_NAMESPACE {

/// The visible rows gathered so far, and not processed yet.
struct GatheredTiles {
  static constexpr int64_t kSteps = kTile / kQueryStep;
  RowTile full, masked[kSteps];  ///< masked[n]: rows that no query before n·kQueryStep sees

  GatheredTiles() {
    full.full = true;
    for (int64_t n = 0; n < kSteps; ++n) masked[n].unseen = n * kQueryStep;
  }
};

/// What the queries see of rows begin, begin + 1, …, of at most kTile; step: whose masked tile a row belongs to.
template <class T>
void see_rows(const AttentionArrays<T>& x, Head at, const MaskFormula<T>& mask, QueryTile queries,
              int64_t begin, int64_t count, Visibility* seen, int32_t* step) {
  T span[kTile];
  for (int64_t j = 0; j < count; ++j) span[j] = mask.span_of(begin + j, at.head);
  const QueryRange range = queries.range();
  const int32_t* age = x.age + begin;
  const auto see = [&](const MaskFormula<T>& by) HWY_ATTR {
#pragma omp simd
    for (int64_t j = 0; j < count; ++j) {
      seen[j] = by.visibility(age[j], span[j], range);
      const int32_t first = by.within_reach(age[j], range).first - range.first;
      step[j] = std::min<int32_t>(first, kTile - 1) / kQueryStep;
    }
  };
  if (x.sizes.slots.count) return see(mask);
  MaskFormula<T> no_slots = mask;  // the compiler vectorises the loop if it knows that no row is a slot
  no_slots.slot_age = std::numeric_limits<int32_t>::max();
  see(no_slots);
}

/// Gathers the rows of the stream's context that the queries see into tiles: rows that need a mask into masked tiles,
/// by the first query that they are near enough to, fully visible rows into full tiles (the remainder shares a masked
/// tile if it fits). Calls process_tile(RowTile) for each tile, and invisible(row) for each row that no query sees.
template <class T, class F, class G>
void for_each_tile(const AttentionArrays<T>& x, Head at, const MaskFormula<T>& mask, QueryTile queries,
                   F&& process_tile, G&& invisible) {
  GatheredTiles tiles;
  RowTile& full = tiles.full;
  const auto process = [&](RowTile& tile, int64_t next) HWY_ATTR {
    tile.next = next;
    process_tile(tile);
    tile.count = 0;
  };
  const auto scan = [&](RowRange rows, int64_t after) HWY_ATTR {
    Visibility seen[kTile];
    int32_t step[kTile];
    for (int64_t first = rows.begin; first < rows.end; first += kTile) {
      const int64_t count = std::min(kTile, rows.end - first);
      see_rows(x, at, mask, queries, first, count, seen, step);
      for (int64_t j = first; j < first + count; ++j) {
        const Visibility visibility = seen[j - first];
        if (visibility == Visibility::none) invisible(j);
        RowTile& masked = tiles.masked[step[j - first]];
        full.row[full.count] = masked.row[masked.count] = j;  // branches on single rows are hard to predict
        full.count += visibility == Visibility::full;
        masked.count += visibility == Visibility::partial;
        const int64_t next = j + 1 < rows.end ? j + 1 : after;
        if (full.count == kTile) process(full, next);
        if (masked.count == kTile) process(masked, next);
      }
    }
  };
  const auto [memory, block] = context_of(x, at.stream);
  scan(memory, block.begin);
  scan(block, -1);

  RowTile& masked = tiles.masked[0];
  if (full.count + masked.count <= kTile) {  // the remainders fit into one tile
    std::copy_n(full.row, full.count, masked.row + masked.count);
    masked.count += std::exchange(full.count, 0);
  }
  if (full.count > 0) process(full, -1);
  for (RowTile& tile : tiles.masked)
    if (tile.count > 0) process(tile, -1);
}

}  // namespace fade::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif
