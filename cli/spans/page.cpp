#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <nlohmann/json.hpp>

#include "cli/page/page.h"
#include "cli/spans/output.h"
#include "cli/spans/words.h"
#include "engine/error.h"
#include "models/kinds.h"
#include "ops/span_attention/ramp.h"

namespace fade {
namespace {

using Json = nlohmann::ordered_json;

// The largest page for a text of so many bytes.
size_t page_limit(size_t bytes) { return bytes <= 20'000 ? 4'000'000 : 30'000'000; }

template <class T>
std::string packed_values(const std::vector<T>& values) {
  return packed({reinterpret_cast<const uint8_t*>(values.data()), values.size() * sizeof(T)});
}

// [layer][byte], or of each byte, as f32; NaN stays.
std::string packed_floats(const std::vector<double>& values) {
  return packed_values(std::vector<float>(values.begin(), values.end()));
}
template <class T, class From>
std::string packed_layers(const std::vector<std::vector<From>>& layers) {
  std::vector<T> all;
  for (const std::vector<From>& layer : layers) all.insert(all.end(), layer.begin(), layer.end());
  return packed_values(all);
}

// The shape of the ramp, m at equal steps from its end to its beginning.
std::vector<double> ramp_values() {
  constexpr int kSteps = 64;
  std::vector<double> values;
  for (int i = 0; i <= kSteps; ++i) values.push_back(ramp_value(static_cast<double>(i) / kSteps));
  return values;
}

// Of each byte 0, or 1 in a word, or 2 where a word begins.
std::vector<uint8_t> word_marks(const std::vector<uint8_t>& text) {
  std::vector<uint8_t> marks(text.size());
  for (const auto& [begin, end] : words(text)) {
    std::fill(marks.begin() + static_cast<std::ptrdiff_t>(begin),
              marks.begin() + static_cast<std::ptrdiff_t>(end), uint8_t{1});
    marks[begin] = 2;
  }
  return marks;
}

// The `count` strongest rows: distances, and weights as 255·√w, which keeps small ones apart.
Json attention_json(const StrongestRows& rows, int count) {
  std::vector<uint16_t> near;
  std::vector<int32_t> far;
  std::vector<uint8_t> weight;
  const bool wide = std::ranges::max(rows.distance) > std::numeric_limits<uint16_t>::max();
  for (size_t query = 0; query < rows.weight.size(); query += static_cast<size_t>(rows.count))
    for (size_t at = query; at < query + static_cast<size_t>(count); ++at) {
      if (wide)
        far.push_back(rows.distance[at]);
      else
        near.push_back(static_cast<uint16_t>(rows.distance[at]));
      weight.push_back(
          static_cast<uint8_t>(std::lround(255 * std::sqrt(std::clamp(rows.weight[at], 0.f, 1.f)))));
    }
  return {{"count", count},
          {"wide", wide},
          {"distance", wide ? packed_values(far) : packed_values(near)},
          {"weight", packed_values(weight)}};
}

Json model_json(const SpanReading& reading) {
  const ModelConfig& m = reading.model;
  const KindInfo& kind = kind_info(m.kind);
  Json out = {{"kind", kind.name},         {"spans", name_of(kind.spans)},
              {"layers", m.layers},        {"heads", m.heads},
              {"block", m.block},          {"max_span", m.max_span},
              {"ramp", m.span.ramp},       {"ramp_values", ramp_values()},
              {"head_span", reading.heads}};
  if (m.kind == Kind::compressive)
    out["slots"] = {
        {"rate", m.compress.rate}, {"count", m.compress.slots + 1}, {"held", m.max_span / m.block * m.block}};
  return out;
}

}  // namespace

std::string spans_page(const SpanReading& reading, const StrongestRows& rows, const PageNames& names,
                       const std::string& layer) {
  const size_t limit = page_limit(reading.text.size());
  Json data = {{"name", names.text},
               {"run", names.run},
               {"layer", layer},
               {"sentence", span_sentence(reading)},
               {"model", model_json(reading)},
               {"bytes", reading.text.size()},
               {"text", packed(reading.text)},
               {"words", packed_values(word_marks(reading.text))},
               {"rows", packed_layers<int32_t>(reading.rows)},
               {"loss", packed_floats(reading.loss_bits)},
               {"cuts", Json::array()}};
  if (kind_info(reading.model.kind).spans == Spans::of_rows)
    data["span"] = packed_layers<float>(reading.span);
  for (const MemoryCut& cut : reading.memory_cut)
    data["cuts"].push_back({{"rows", cut.rows}, {"loss", packed_floats(cut.loss_bits)}});
  int count = rows.count;
  // Three bytes a row become about two and a half in the page: what cannot fit is not tried.
  while (count > 1 && reading.layers() * reading.text.size() * static_cast<size_t>(count) * 2 > limit)
    count /= 2;
  for (; count > 0; count /= 2) {
    data["attention"] = attention_json(rows, count);
    std::string page = make_page("spans/spans", names.text + ": what is kept, and for how long", data);
    if (page.size() <= limit) return page;
  }
  refuse("{}: a page of {} bytes with {} layers exceeds its limit of {} MB (--bytes takes less of the text)",
         names.text, reading.text.size(), reading.layers(), limit / 1'000'000);
}

}  // namespace fade
