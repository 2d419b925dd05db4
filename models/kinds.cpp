#include "models/kinds.h"

#include <fmt/format.h>

#include <algorithm>

#include "engine/error.h"
#include "models/adaptive_span.h"
#include "models/compressive.h"
#include "models/expire_span.h"
#include "models/transformer_xl.h"

namespace fade {
namespace {

template <class A>
std::unique_ptr<Attention> make(Parameters& p, const std::string& name, const ModelConfig& config,
                                Generator& random) {
  return std::make_unique<A>(p, name, config, random);
}

int64_t one_row_per_position(const ModelConfig& c) { return c.max_span; }

// Seen at a distance of S + R at most, and read in blocks.
int64_t span_ramp_and_blocks(const ModelConfig& c) {
  return int64_t{c.max_span} + c.span.ramp + 2 * int64_t{c.block};
}

std::string rows_and_slots(const ModelConfig& c) {
  return fmt::format("at most {} rows and {} slots, each of {} rows compressed", c.max_span, c.compress.slots,
                     c.compress.rate);
}

}  // namespace

constinit const std::array<KindInfo, kKindCount> kKinds{{
    {.kind = Kind::transformer_xl,
     .name = "transformer_xl",
     .make = make<TransformerXlAttention>,
     .position_rows = one_row_per_position,
     .oldest_age = span_ramp_and_blocks,
     .published = Published{.bits_per_byte = 1.06, .gigabytes = 27, .ms = 649}},
    {.kind = Kind::adaptive_span,
     .name = "adaptive_span",
     .make = make<AdaptiveSpanAttention>,
     .position_rows = one_row_per_position,
     .oldest_age = span_ramp_and_blocks,
     .spans = Spans::of_heads,
     .initial_span = 0,
     .published = Published{.bits_per_byte = 1.04, .gigabytes = 20, .ms = 483}},
    {.kind = Kind::compressive,
     .name = "compressive",
     .make = make<CompressiveAttention>,
     .position_rows = CompressiveAttention::position_rows,
     .check = CompressiveAttention::check,
     .oldest_age = CompressiveAttention::oldest_age,
     .memory = rows_and_slots,
     .can_keep_all = false,
     .published = Published{.bits_per_byte = 1.05, .gigabytes = 21, .ms = 838}},
    {.kind = Kind::expire_span,
     .name = "expire_span",
     .make = make<ExpireSpanAttention>,
     .position_rows = ExpireSpanAttention::position_rows,
     .check = ExpireSpanAttention::check,
     .oldest_age = span_ramp_and_blocks,
     .spans = Spans::of_rows,
     .published = Published{.bits_per_byte = 1.03, .gigabytes = 15, .ms = 408}},
}};

std::string_view name_of(Spans spans) {
  return spans == Spans::of_rows ? "rows" : spans == Spans::of_heads ? "heads" : "none";
}

const KindInfo& kind_info(Kind kind) {
  const auto row = std::ranges::find(kKinds, kind, &KindInfo::kind);
  if (row != kKinds.end()) return *row;
  fail("kind_info: kind {} has no row in models/kinds.cpp", static_cast<int>(kind));
}

}  // namespace fade
