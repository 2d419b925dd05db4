#include "cli/explain/words.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "engine/io/utf8.h"

namespace fade {
namespace {

std::string byte_text(uint8_t byte) { return printable(std::string(1, static_cast<char>(byte))); }

// The bytes around the row, which is in brackets.
std::string surroundings(const Explained& e) {
  constexpr size_t kBefore = 30, kAfter = 30;
  const size_t at = static_cast<size_t>(e.row), begin = at > kBefore ? at - kBefore : 0,
               end = std::min(e.text.size(), at + 1 + kAfter);
  const auto part = [&](size_t from, size_t to) {
    return printable({reinterpret_cast<const char*>(e.text.data()) + from, to - from});
  };
  return fmt::format("{}{}[{}]{}{}", begin ? "..." : "", part(begin, at), part(at, at + 1), part(at + 1, end),
                     end < e.text.size() ? "..." : "");
}

std::vector<QueryTerm> all_queries(const SpanGradient& g) {
  std::vector<QueryTerm> all;
  for (const BlockTerms& block : g.blocks) all.insert(all.end(), block.queries.begin(), block.queries.end());
  return all;
}

/// Consecutive queries.
struct Run {
  int64_t first, last;
  double attention;
  std::string text() const {
    return first == last ? fmt::format("{}", first) : fmt::format("{}-{}", first, last);
  }
};

// "queries 14-21, 25 and 2 others": those whose attention term has this sign, the strongest runs. Terms below
// a hundredth of the largest do not count.
std::string queries_with(const std::vector<QueryTerm>& queries, double sign) {
  double largest = 0;
  for (const QueryTerm& q : queries) largest = std::max(largest, sign * q.attention());
  std::vector<Run> runs;
  for (const QueryTerm& q : queries) {
    if (!(sign * q.attention() > largest / 100)) continue;
    if (!runs.empty() && runs.back().last + 1 == q.position) {
      runs.back().last = q.position;
      runs.back().attention += q.attention();
    } else {
      runs.push_back({q.position, q.position, q.attention()});
    }
  }
  std::ranges::sort(runs, std::greater(), [](const Run& run) { return std::abs(run.attention); });
  constexpr size_t kMost = 3;
  int64_t others = 0;
  for (size_t i = kMost; i < runs.size(); ++i) others += runs[i].last - runs[i].first + 1;
  runs.resize(std::min(runs.size(), kMost));
  std::ranges::sort(runs, {}, &Run::first);
  std::vector<std::string> texts;
  for (const Run& run : runs) texts.push_back(run.text());
  const bool one = runs.size() == 1 && runs[0].first == runs[0].last && others == 0;
  return fmt::format("{} {}{}", one ? "query" : "queries", fmt::join(texts, ", "),
                     others ? fmt::format(" and {} other{}", others, others == 1 ? "" : "s") : "");
}

std::string layers_table(const Explained& e) {
  std::string out = fmt::format("  {:>5} {:>9} {:>8} {:>12} {:>17} {:>12} {:>12} {:>12}\n", "layer", "span",
                                "queries", "direct", "renormalisation", "auxiliary", "d_span", "d_logit");
  for (const SpanGradient& g : e.layers)
    out += fmt::format("{} {:>5} {:>9.2f} {:>8} {:>+12.3e} {:>+17.3e} {:>+12.3e} {:>+12.3e} {:>+12.3e}\n",
                       g.layer == e.told().layer ? '*' : ' ', g.layer, g.span, g.queries(), g.direct(),
                       g.renormalisation(), g.auxiliary(), g.d_span(), g.d_logit());
  return out;
}

std::string head_lines(const QueryTerm& q) {
  std::string out;
  for (size_t h = 0; h < q.heads.size(); ++h) {
    const HeadTerm& t = q.heads[h];
    out += fmt::format(
        "    head {:>2}: a {:.5f}, w {:.5f}, g {:+.3e}, G {:+.3e}, a·g/den {:+.3e}, −a·G/den {:+.3e}\n", h,
        t.weight, t.faded, t.gradient, t.mean_gradient, t.direct(), t.renormalisation());
  }
  return out;
}

// The queries in the order of the text; those with the smallest terms folded into one line.
std::string query_table(const Explained& e, const std::vector<QueryTerm>& queries, bool all) {
  std::vector<size_t> order(queries.size());
  for (size_t i = 0; i < order.size(); ++i) order[i] = i;
  std::ranges::stable_sort(order, std::greater(), [&](size_t i) { return std::abs(queries[i].attention()); });
  const size_t shown = all ? order.size() : std::min(order.size(), kMostQueries);
  std::ranges::sort(order.begin(), order.begin() + static_cast<std::ptrdiff_t>(shown));
  std::string out =
      fmt::format("  {:>8} {:>5} {:>8} {:>8} {:>6} {:>9} {:>9} {:>12} {:>17} {:>12}\n", "query", "byte",
                  "distance", "r", "m", "Σ a", "Σ w", "direct", "renormalisation", "both");
  const auto line = [&](const QueryTerm& q) {
    double a = 0, w = 0;
    for (const HeadTerm& h : q.heads) {
      a += h.weight;
      w += h.faded;
    }
    return fmt::format(
        "  {:>8} {:>5} {:>8} {:>8.2f} {:>6.3f} {:>9.5f} {:>9.5f} {:>+12.3e} {:>+17.3e} {:>+12.3e}\n",
        q.position, byte_text(e.text[static_cast<size_t>(q.position)]), q.distance, q.remaining, q.mask, a, w,
        q.direct(), q.renormalisation(), q.attention());
  };
  for (size_t i = 0; i < shown; ++i) {
    out += line(queries[order[i]]);
    if (all) out += head_lines(queries[order[i]]);
  }
  if (shown == order.size()) return out;
  double direct = 0, renormalisation = 0;
  for (size_t i = shown; i < order.size(); ++i) {
    direct += queries[order[i]].direct();
    renormalisation += queries[order[i]].renormalisation();
  }
  return out + fmt::format("  {:<59} {:>+18.3e} {:>+17.3e} {:>+12.3e}\n",
                           fmt::format("{} weaker (--all lists them)", order.size() - shown), direct,
                           renormalisation, direct + renormalisation);
}

// The formulas of the strongest query's strongest head, with their numbers.
std::string one_term(const std::vector<QueryTerm>& queries) {
  const QueryTerm* q = nullptr;
  size_t head = 0;
  double strongest = -1;
  for (const QueryTerm& query : queries)
    for (size_t h = 0; h < query.heads.size(); ++h) {
      const HeadTerm& t = query.heads[h];
      const double size = std::abs(query.slope * (t.direct() + t.renormalisation()));
      if (!(size > strongest)) continue;
      strongest = size;
      q = &query;
      head = h;
    }
  if (!q) return "";
  const HeadTerm& t = q->heads[head];
  return fmt::format(
      "the largest of them, query {}, head {}:\n"
      "  w  = a·m/den        = {:.5f}·{:.3f}/{:.5f} = {:.5f}\n"
      "  dm = a·(g − G)/den  = {:.5f}·({:+.3e} − {:+.3e})/{:.5f} = {:+.3e}\n"
      "  de = dm·slope       = {:+.3e}·{:.5f} = {:+.3e}\n",
      q->position, head, t.weight, q->mask, t.den, t.faded, t.weight, t.gradient, t.mean_gradient, t.den,
      t.direct() + t.renormalisation(), t.direct() + t.renormalisation(), q->slope,
      (t.direct() + t.renormalisation()) * q->slope);
}

std::string sums(const Explained& e) {
  const SpanGradient& g = e.told();
  std::string out;
  for (const BlockTerms& b : g.blocks)
    out += fmt::format("auxiliary of block {}-{} = span.loss/(R·n)·queries = {:g}/({}·{})·{} = {:+.3e}\n",
                       b.first, b.first + b.length - 1, e.model.span.loss, e.model.span.ramp, b.length,
                       b.fading, b.auxiliary());
  return out + fmt::format(
                   "d_span   = direct + renormalisation + auxiliary = {:+.6e} {:+.6e} {:+.6e} = {:+.6e}\n"
                   "           the tape's gradient of the same span: {:+.6e}\n"
                   "d_logit  = d_span·S·σ(z)·(1 − σ(z)) = {:+.6e}·{:.6g} = {:+.6e}\n"
                   "d_bias   = d_logit\n"
                   "|d_w|    = |d_logit|·|h|/pre_div = {:.6e}·{:.6g} = {:.6e}\n",
                   g.direct(), g.renormalisation(), g.auxiliary(), g.d_span(), g.tape, g.d_span(), g.slope,
                   g.d_logit(), std::abs(g.d_logit()), g.hidden_norm, g.d_weight_norm());
}

}  // namespace

std::string verdict(const Explained& e) {
  const SpanGradient& g = e.told();
  const int64_t last = static_cast<int64_t>(e.text.size()) - 2;  // of the queries
  if (g.blocks.empty())
    return fmt::format(
        "no gradient, exactly 0: no query of the text meets the row on its ramp, which begins at position {}, "
        "after the last query ({})",
        e.row + std::max<int64_t>(1, static_cast<int64_t>(std::ceil(g.span))), last);
  const std::vector<QueryTerm> queries = all_queries(g);
  const double attention = g.direct() + g.renormalisation();
  const std::string wanted = queries_with(queries, -1), unwanted = queries_with(queries, 1);
  std::string text;
  if (g.d_span() < 0)
    text = fmt::format("kept: {} wanted more of it than of what they had", wanted);
  else if (g.d_span() == 0)
    text = "left as it is: no query on its ramp looks at it, and a span has no price";
  else if (attention > 0)
    text = fmt::format("let go: {} wanted less of it than of what they had", unwanted);
  else if (attention < 0)
    text = fmt::format("let go: {} wanted more of it than of what they had, but less than its price", wanted);
  else
    text = "let go: no query on its ramp looks at it, and it has its price";
  return text + (g.outlives_text ? "; the text ends before its ramp does" : "");
}

std::string explanation(const Explained& e, bool all) {
  const SpanGradient& g = e.told();
  std::string out =
      fmt::format("row {}, byte '{}' of {}: {}\n\n", e.row, byte_text(e.text[static_cast<size_t>(e.row)]),
                  printable(e.name), surroundings(e)) +
      layers_table(e) +
      fmt::format("\nlayer {}: e = S·σ(z) = {}·σ({:.4f}) = {:.4f}, a ramp of {}\n", g.layer, e.model.max_span,
                  g.logit, g.span, e.model.span.ramp);
  if (!g.blocks.empty()) {
    const std::vector<QueryTerm> queries = all_queries(g);
    out += query_table(e, queries, all) + "\n" + one_term(queries) + sums(e);
  }
  return out + "\n" + verdict(e) + "\n";
}

}  // namespace fade
