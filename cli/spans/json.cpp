#include <nlohmann/json.hpp>

#include "cli/page/page.h"
#include "cli/spans/output.h"
#include "models/kinds.h"

namespace fade {

std::string spans_json(const SpanReading& reading) {
  const KindInfo& kind = kind_info(reading.model.kind);
  nlohmann::ordered_json out = {{"text", base64(reading.text)},
                                {"kind", kind.name},
                                {"spans", name_of(kind.spans)},
                                {"layers", reading.layers()},
                                {"max_span", reading.model.max_span},
                                {"ramp", reading.model.span.ramp},
                                {"span", reading.span},
                                {"loss_bits", reading.loss_bits},  // NaN becomes null
                                {"rows", reading.rows},
                                {"memory_cut", nlohmann::ordered_json::array()}};
  if (!reading.heads.empty()) out["head_span"] = reading.heads;
  for (const MemoryCut& cut : reading.memory_cut)
    out["memory_cut"].push_back({{"rows", cut.rows}, {"loss_bits", cut.loss_bits}});
  return out.dump() + '\n';
}

}  // namespace fade
