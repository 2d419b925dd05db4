// Small cases of each mask, for the checks of every operation.
// Long contexts, tiles and random orders are in tests/ops/span_attention_test.cpp.
#include "ops/span_attention/naive.h"
#include "ops/span_attention/span_attention.h"
#include "tests/ops/op_case.h"

namespace fade::test {
namespace {

struct Sizes {
  int64_t block, heads, head_size, positions;
  std::vector<int32_t> start;
  MaskKind kind;
  int ramp;
  int64_t window = 0;
  double dropout = 0;
  SlotWindow slots = {};
};

constexpr RngKey kKey{3, 4};

int64_t streams_of(const Sizes& s) { return static_cast<int64_t>(s.start.size()) - 1; }

// in: q, kv, pos, age, span (none for a plain window).
Run run_with(const Sizes& s, int older = 0) {
  return [=](const Tensors& in) {
    const PackedRows rows{Tensor::from(s.start, {streams_of(s) + 1}).to(in[0].device()),
                          shifted(in[3], older), streams_of(s), s.block, s.start.back()};
    const SpanMask mask{s.kind, in.size() > 4 ? in[4] : Tensor(), s.ramp, s.window, s.slots};
    return span_attention(in[0], in[1], in[2], rows, mask, {.heads = s.heads, .dropout = {s.dropout, kKey}});
  };
}

Values reference(const Sizes& s, const Arrays& in) {
  const NaiveInputs inputs{.q = in[0],
                           .kv = in[1],
                           .pos = in[2],
                           .span = in.size() > 4 ? in[4] : Values(),
                           .start = s.start,
                           .age = {in[3].begin(), in[3].end()},
                           .head_size = s.head_size,
                           .sizes = {.streams = static_cast<int32_t>(streams_of(s)),
                                     .block = static_cast<int32_t>(s.block),
                                     .heads = static_cast<int32_t>(s.heads),
                                     .ramp = s.ramp,
                                     .window = s.window,
                                     .memory_rows = s.start.back(),
                                     .mask = s.kind,
                                     .dropout = {s.dropout, kKey},
                                     .slots = s.slots}};
  return naive_span_attention(inputs, Values(in[0].size())).out;
}

// Memory ages count up with gaps, slots' by their rate; a block's count down from 0.
Fill ages(const Sizes& s) {
  return [=](int64_t row, double) {
    const int64_t memory = s.start.back();
    if (row >= memory) return static_cast<double>(-((row - memory) % s.block));
    const int64_t slot = row - s.window;  // the first rows of a stream are the newest
    return static_cast<double>(s.slots.count && slot >= 0 ? s.window + 2 + slot * s.slots.rate
                                                          : 1 + row * 3 / 2);
  };
}

OpCase attention_case(const char* name, const Sizes& s, const Fill& span, bool fades) {
  const int64_t hidden = s.heads * s.head_size, queries = streams_of(s) * s.block,
                rows = s.start.back() + queries;
  OpCase c{.name = fmt::format("span_attention/{}", name),
           .inputs = {{{queries, hidden}},
                      {{rows, 2 * hidden}},
                      {{s.positions, s.head_size}},
                      {{rows}, ages(s), Role::integers}},
           .run = run_with(s),
           .reference = [=](const Arrays& in) { return reference(s, in); },
           .shape = {queries, hidden},
           .saved_bytes = 8 * queries * (hidden + s.heads) + 4 * (streams_of(s) + 1) +
                          (s.dropout > 0 ? 4 * rows * s.heads * query_words(s.block) : 0)};
  if (s.kind != MaskKind::window)
    c.inputs.push_back(
        {.shape = {s.kind == MaskKind::expiring ? rows : s.heads}, .fill = span, .zero_gradient = !fades});
  c.wrong = {{"ages one too large", run_with(s, 1)}, {"ages one too small", run_with(s, -1)}};
  return c;
}

std::vector<OpCase> cases() {
  using enum MaskKind;
  const Fill fractions = between_integers(0, 9), forever = between_integers(100, 200);
  return {
      attention_case("expiring", {5, 2, 3, 4, {0, 4, 9}, expiring, 4}, fractions, true),
      attention_case("expiring_without_memory", {4, 1, 2, 4, {0, 0}, expiring, 2}, fractions, true),
      attention_case("expiring_all_live", {3, 2, 5, 2, {0, 6, 6}, expiring, 4}, forever, false),
      attention_case("expiring_with_dropout", {5, 2, 3, 4, {0, 4, 9}, expiring, 4, 0, 0.3}, fractions, true),
      attention_case("adaptive", {5, 3, 2, 6, {0, 4, 9}, adaptive, 3, 8}, fractions, true),
      attention_case("window", {5, 2, 3, 4, {0, 4, 9}, window, 0, 4}, fractions, false),
      attention_case("window_with_dropout", {5, 2, 3, 4, {0, 4, 9}, window, 0, 6, 0.3}, fractions, false),
      attention_case("slots", {4, 2, 3, 7, {0, 9}, window, 0, 4, 0, {3, 2}}, fractions, false),
  };
}

[[maybe_unused]] const bool added = add_cases("span_attention", cases());

}  // namespace
}  // namespace fade::test
