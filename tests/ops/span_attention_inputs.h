// The test cases of the fused attention: the smallest sizes, ragged memories, expired rows, noisy spans,
// shuffled rows and dropout, with every kind of mask.
#pragma once

#include <algorithm>
#include <cmath>
#include <numeric>
#include <random>
#include <string>
#include <vector>

#include "ops/span_attention/naive.h"

namespace fade::test {

/// Sizes, the memory of each stream, and how spans are drawn.
struct SpanAttentionCase {
  std::string name;
  int64_t block, heads, head_size, positions;
  std::vector<int64_t> memory;  ///< rows per stream
  MaskKind kind = MaskKind::expiring;
  int32_t ramp = 8;
  int64_t window = 0;
  double shortest = 0, longest = 200;  ///< spans are uniform between them
  double cut = 1e9;                    ///< noise: spans end here
  bool whole = false;                  ///< whole spans: rows meet both ends of the ramp exactly
  double dropout = 0;
  uint64_t first_stream = 0;  ///< number of the first stream
  bool shuffled = false;
  SlotWindow slots = {};
};

// clang-format would put each number on a line of its own.
// clang-format off
inline const std::vector<SpanAttentionCase> kSpanAttentionCases{
    {.name = "one query", .block = 1, .heads = 1, .head_size = 1, .positions = 1, .memory = {1}},
    {.name = "no memory", .block = 5, .heads = 2, .head_size = 4, .positions = 5, .memory = {0, 0}},
    {.name = "ragged", .block = 7, .heads = 3, .head_size = 5, .positions = 7, .memory = {0, 13, 130, 1}},
    {.name = "gaps", .block = 16, .heads = 2, .head_size = 8, .positions = 9, .memory = {64, 65}, .ramp = 3},
    {.name = "all live", .block = 64, .heads = 2, .head_size = 32, .positions = 64, .memory = {128, 63},
     .shortest = 1000, .longest = 2000},
    {.name = "all expired", .block = 9, .heads = 2, .head_size = 4, .positions = 9, .memory = {20, 3},
     .shortest = -50, .longest = -20},
    {.name = "short spans", .block = 70, .heads = 2, .head_size = 17, .positions = 64, .memory = {90, 200},
     .ramp = 5, .longest = 30},
    {.name = "noisy", .block = 33, .heads = 2, .head_size = 16, .positions = 33, .memory = {70, 100},
     .longest = 150, .cut = 40},
    {.name = "shuffled", .block = 66, .heads = 2, .head_size = 12, .positions = 66, .memory = {150, 40},
     .shuffled = true},
    {.name = "dropout", .block = 66, .heads = 2, .head_size = 12, .positions = 66, .memory = {150, 0, 3},
     .dropout = 0.3, .first_stream = 3, .shuffled = true},
    {.name = "tiles of queries", .block = 130, .heads = 1, .head_size = 24, .positions = 100,
     .memory = {190}},
    {.name = "heads of 40", .block = 20, .heads = 2, .head_size = 40, .positions = 20, .memory = {70}},
    {.name = "heads of 64", .block = 70, .heads = 2, .head_size = 64, .positions = 90, .memory = {150, 20},
     .longest = 300, .dropout = 0.2},
    {.name = "heads of 90", .block = 35, .heads = 1, .head_size = 90, .positions = 35, .memory = {40, 9},
     .dropout = 0.4},
    {.name = "heads of 128", .block = 70, .heads = 1, .head_size = 128, .positions = 60, .memory = {50},
     .dropout = 0.2},
    {.name = "long context", .block = 20, .heads = 1, .head_size = 8, .positions = 20, .memory = {1500, 0},
     .ramp = 100, .longest = 1700},
    {.name = "rows far apart", .block = 20, .heads = 1, .head_size = 8, .positions = 200, .memory = {150, 3},
     .longest = 400, .shuffled = true},
    {.name = "wide head", .block = 10, .heads = 1, .head_size = 256, .positions = 3, .memory = {30, 7},
     .dropout = 0.4},
    {.name = "whole spans", .block = 20, .heads = 2, .head_size = 4, .positions = 20, .memory = {30, 12},
     .ramp = 4, .longest = 25, .whole = true},
    {.name = "no positions", .block = 10, .heads = 2, .head_size = 6, .positions = 0, .memory = {30, 7}},
    {.name = "expiring within a window", .block = 40, .heads = 2, .head_size = 8, .positions = 40,
     .memory = {90, 50}, .window = 60},
    {.name = "plain", .block = 40, .heads = 2, .head_size = 8, .positions = 0, .memory = {90, 0},
     .kind = MaskKind::window},
    {.name = "window", .block = 70, .heads = 2, .head_size = 8, .positions = 50, .memory = {90, 20},
     .kind = MaskKind::window, .window = 50},
    {.name = "window, dropout", .block = 20, .heads = 2, .head_size = 8, .positions = 30, .memory = {40, 0},
     .kind = MaskKind::window, .window = 30, .dropout = 0.5, .first_stream = 6},
    {.name = "span per head", .block = 70, .heads = 3, .head_size = 8, .positions = 90, .memory = {100, 20},
     .kind = MaskKind::adaptive, .window = 90, .longest = 60},
    {.name = "span per head, dropout", .block = 20, .heads = 2, .head_size = 7, .positions = 40,
     .memory = {90, 0}, .kind = MaskKind::adaptive, .ramp = 16, .window = 40, .longest = 20,
     .dropout = 0.25},
    {.name = "a head without span", .block = 20, .heads = 2, .head_size = 7, .positions = 40,
     .memory = {90, 0}, .kind = MaskKind::adaptive, .ramp = 2, .window = 40, .longest = 0},
    {.name = "whole spans per head", .block = 20, .heads = 3, .head_size = 4, .positions = 30,
     .memory = {30, 12}, .kind = MaskKind::adaptive, .ramp = 4, .window = 30, .longest = 20, .whole = true},
    {.name = "slots", .block = 70, .heads = 2, .head_size = 8, .positions = 65, .memory = {160, 40, 0},
     .kind = MaskKind::window, .window = 50, .slots = {15, 3}},
    {.name = "slots, dropout", .block = 12, .heads = 3, .head_size = 5, .positions = 41, .memory = {60, 70},
     .kind = MaskKind::window, .window = 20, .dropout = 0.3, .shuffled = true, .slots = {21, 2}},
    {.name = "single queries", .block = 1, .heads = 3, .head_size = 37, .positions = 9,
     .memory = {0, 13, 130, 1}},
    {.name = "single queries, expired", .block = 1, .heads = 2, .head_size = 4, .positions = 9,
     .memory = {20, 3}, .shortest = -50, .longest = -20},
    {.name = "single queries, window", .block = 1, .heads = 2, .head_size = 32, .positions = 20,
     .memory = {40, 9}, .kind = MaskKind::window, .window = 30, .shuffled = true},
    {.name = "single queries, span per head", .block = 1, .heads = 3, .head_size = 8, .positions = 40,
     .memory = {50, 7}, .kind = MaskKind::adaptive, .window = 40, .longest = 30},
    {.name = "single queries, slots", .block = 1, .heads = 2, .head_size = 8, .positions = 41,
     .memory = {60, 30}, .kind = MaskKind::window, .window = 20, .slots = {21, 2}},
};
// clang-format on

class Draw {
 public:
  explicit Draw(uint64_t seed) : engine_(seed) {}
  std::vector<double> normal(int64_t n) {
    std::vector<double> x(n);
    // Values that f32 holds exactly, so that one reference serves both types.
    for (double& v : x) v = static_cast<float>(std::normal_distribution<>()(engine_));
    return x;
  }
  std::vector<double> between(double low, double high, int64_t n) {
    std::vector<double> x(n);
    for (double& v : x) v = static_cast<float>(std::uniform_real_distribution<>(low, high)(engine_));
    return x;
  }
  template <class T>
  void shuffle(T begin, T end) {
    std::shuffle(begin, end, engine_);
  }

 private:
  std::mt19937_64 engine_;
};

inline NaiveInputs inputs_of(const SpanAttentionCase& c, uint64_t seed = 7) {
  Draw draw(seed);
  NaiveInputs in;
  in.head_size = c.head_size;
  in.sizes = {
      .streams = static_cast<int32_t>(c.memory.size()),
      .block = static_cast<int32_t>(c.block),
      .heads = static_cast<int32_t>(c.heads),
      .ramp = c.ramp,
      .window = c.window,
      .memory_rows = std::accumulate(c.memory.begin(), c.memory.end(), int64_t{0}),
      .mask = c.kind,
      .dropout = {c.dropout, {11, (uint64_t{3} << 32) + 5}, c.first_stream * decisions_per_stream(c.heads)},
      .slots = c.slots};
  in.start = {0};
  for (const int64_t rows : c.memory) {
    const auto begin = static_cast<int64_t>(in.age.size());
    // Ages have gaps, because some rows have already been dropped.
    for (int64_t j = rows; j > 0; --j) in.age.push_back(static_cast<int32_t>(j + j / 5));
    if (c.shuffled) draw.shuffle(in.age.begin() + begin, in.age.end());
    in.start.push_back(static_cast<int32_t>(in.age.size()));
  }
  for (int64_t b = 0; b < in.sizes.streams; ++b)
    for (int64_t p = 0; p < c.block; ++p) in.age.push_back(static_cast<int32_t>(-p));
  const auto rows = static_cast<int64_t>(in.age.size()), hidden = c.heads * c.head_size;
  in.q = draw.normal(in.sizes.streams * c.block * hidden);
  in.kv = draw.normal(rows * 2 * hidden);
  in.pos = draw.normal(c.positions * c.head_size);
  if (c.kind != MaskKind::window)
    in.span = draw.between(c.shortest, c.longest, c.kind == MaskKind::expiring ? rows : c.heads);
  for (double& e : in.span) e = std::min(c.whole ? std::floor(e) : e, c.cut);
  return in;
}

}  // namespace fade::test
