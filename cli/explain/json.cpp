// `fade explain --json`: section 10 of the specification.
#include <nlohmann/json.hpp>

#include "cli/explain/words.h"

namespace fade {
namespace {

using Json = nlohmann::ordered_json;

Json head_json(const HeadTerm& h) {
  return {{"weight", h.weight},
          {"faded", h.faded},
          {"gradient", h.gradient},
          {"mean_gradient", h.mean_gradient},
          {"denominator", h.den},
          {"direct", h.direct()},
          {"renormalisation", h.renormalisation()}};
}

Json query_json(const QueryTerm& q) {
  Json heads = Json::array();
  for (const HeadTerm& head : q.heads) heads.push_back(head_json(head));
  return {{"position", q.position}, {"distance", q.distance}, {"remaining_span", q.remaining},
          {"mask", q.mask},         {"slope", q.slope},       {"heads", heads}};
}

Json block_json(const BlockTerms& b) {
  Json queries = Json::array();
  for (const QueryTerm& query : b.queries) queries.push_back(query_json(query));
  return {{"first", b.first},
          {"length", b.length},
          {"queries", queries},
          {"attention_direct", b.direct()},
          {"attention_renormalisation", b.renormalisation()},
          {"auxiliary", b.auxiliary()}};
}

// What is told of every layer.
Json totals_json(const SpanGradient& g) {
  return {{"layer", g.layer},
          {"span", g.span},
          {"logit", g.logit},
          {"attention_direct", g.direct()},
          {"attention_renormalisation", g.renormalisation()},
          {"auxiliary", g.auxiliary()},
          {"d_span", g.d_span()},
          {"d_span_tape", g.tape},
          {"d_logit", g.d_logit()},
          {"d_weight_norm", g.d_weight_norm()},
          {"d_bias", g.d_bias()}};
}

}  // namespace

std::string explanation_json(const Explained& e) {
  Json out = {{"text", e.name}, {"row", e.row}, {"byte", e.text[static_cast<size_t>(e.row)]}};
  out.update(totals_json(e.told()));
  out["ramp"] = e.model.span.ramp;
  out["max_span"] = e.model.max_span;
  out["outlives_text"] = e.told().outlives_text;
  out["blocks"] = Json::array();
  for (const BlockTerms& block : e.told().blocks) out["blocks"].push_back(block_json(block));
  out["layers"] = Json::array();
  for (const SpanGradient& layer : e.layers) out["layers"].push_back(totals_json(layer));
  out["verdict"] = verdict(e);
  return out.dump(-1, ' ', false, Json::error_handler_t::replace);
}

}  // namespace fade
