#include "cli/compare/comparison.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "cli/compare/plot.h"
#include "cli/figure.h"
#include "engine/io/output.h"
#include "engine/io/safetensors.h"
#include "train/checkpoint/weights.h"
#include "train/config/file.h"
#include "train/median.h"
#include "train/run_log.h"

namespace fade {
namespace fs = std::filesystem;
namespace {

/// One column: its heading, and a result's cell.
struct Column {
  const char* heading;
  std::string (*cell)(const RunResult&);
};

double mebibytes(const RunResult& r) { return static_cast<double>(r.peak_bytes) / (1 << 20); }

/// A published figure of the run's kind; a dash if there is none.
std::string published(const RunResult& r, double Published::*what, const char* format = "{:g}") {
  return r.published ? fmt::format(fmt::runtime(format), (*r.published).*what) : "-";
}

const std::vector<Column> kColumns = {
    {"run", [](const RunResult& r) { return r.name; }},
    {"kind", [](const RunResult& r) { return std::string(name_of(r.kind)); }},
    {"parameters", [](const RunResult& r) { return fmt::to_string(r.parameters); }},
    {"steps", [](const RunResult& r) { return fmt::to_string(r.steps); }},
    {"bits/byte", [](const RunResult& r) { return fmt::format("{:.4f}", r.bits_per_byte); }},
    {"ms/batch", [](const RunResult& r) { return figure(r.ms, 1); }},
    {"tokens/s", [](const RunResult& r) { return figure(r.tokens_per_s, 0); }},
    {"peak MiB", [](const RunResult& r) { return figure(mebibytes(r), 1); }},
    {"mean rows", [](const RunResult& r) { return figure(r.mean_rows, 1); }},
    {"span loss",
     [](const RunResult& r) {
       return r.span_loss > 0 ? fmt::format("{:g}", r.span_loss) : std::string("-");
     }},
    {"published bits/byte",
     [](const RunResult& r) { return published(r, &Published::bits_per_byte, "{:.2f}"); }},
    {"GB", [](const RunResult& r) { return published(r, &Published::gigabytes); }},
    {"ms", [](const RunResult& r) { return published(r, &Published::ms); }},
};

/// Lines of cells between `separator`s, headings first, padded to columns if asked to.
std::string lines(const std::vector<RunResult>& results, const std::string& begin,
                  const std::string& separator, const std::string& end, bool padded,
                  const std::string& rule) {
  std::vector<size_t> widths;
  for (const Column& column : kColumns) {
    size_t width = std::string_view(column.heading).size();
    for (const RunResult& r : results) width = std::max(width, column.cell(r).size());
    widths.push_back(padded ? width : 0);
  }
  const auto line = [&](const auto& cell) {
    std::string text = begin;
    for (size_t c = 0; c < kColumns.size(); ++c)
      text += fmt::format("{}{:<{}}", c ? separator : "", cell(kColumns[c]), widths[c]);
    while (text.ends_with(' ') && end == "\n") text.pop_back();
    return text + end;
  };
  std::string text = line([](const Column& c) { return std::string(c.heading); }) + rule;
  for (const RunResult& r : results) text += line([&](const Column& c) { return c.cell(r); });
  return text;
}

std::string markdown(const std::vector<RunResult>& results) {
  std::string rule = "|";
  for (size_t c = 0; c < kColumns.size(); ++c) rule += "---|";
  return lines(results, "| ", " | ", " |\n", true, rule + "\n");
}

std::string bars(const std::vector<RunResult>& results) {
  std::vector<std::string> names;
  std::vector<size_t> styles;
  std::vector<BarPanel> panels = {{.title = "bits per byte", .decimals = 4, .from_zero = false},
                                  {.title = "ms per batch", .decimals = 1},
                                  {.title = "peak memory, MiB", .decimals = 1},
                                  {.title = "rows in memory", .decimals = 1}};
  for (const RunResult& r : results) {
    names.push_back(r.name);
    styles.push_back(static_cast<size_t>(r.kind));
    const double values[] = {r.bits_per_byte, r.ms, mebibytes(r), r.mean_rows};
    for (size_t p = 0; p < panels.size(); ++p) panels[p].values.push_back(values[p]);
  }
  return bar_panels("Bits, time and memory", names, styles, panels);
}

/// The line called `name`, which is added when there is none: in the style of its kind, or in the
/// next free one.
PlotLine& line_of(std::vector<PlotLine>& all, const std::string& name, Kind kind) {
  if (const auto line = std::ranges::find(all, name, &PlotLine::name); line != all.end()) return *line;
  size_t style = static_cast<size_t>(kind);
  while (std::ranges::find(all, style, &PlotLine::style) != all.end()) style += kKinds.size();
  return all.emplace_back(PlotLine{name, style, {}});
}

std::string tradeoff(const std::vector<RunResult>& results) {
  std::vector<PlotLine> families;
  for (const RunResult& r : results)
    line_of(families, r.family, r.kind)
        .points.push_back({std::max(r.mean_rows, 1.0), r.bits_per_byte,
                           r.span_loss > 0 ? fmt::format("{:g}", r.span_loss) : ""});
  for (PlotLine& family : families) std::ranges::sort(family.points, {}, &PlotPoint::x);
  return line_plot("Bits per byte against memory, by coefficient of the span loss",
                   {.title = "rows in memory per stream and layer", .logarithmic = true},
                   {.title = "bits per byte"}, families);
}

std::string recall(const std::vector<RunResult>& results) {
  std::vector<PlotLine> runs;
  PlotAxis distance{.title = "rows between the question and its fact"};
  for (const RunResult& r : results) {
    PlotLine& line = line_of(runs, r.name, r.kind);
    for (const RecallScore& s : r.recall) {
      const std::string category = fmt::format("{}-{}", s.nearest, s.farthest);
      auto at = std::ranges::find(distance.categories, category);
      if (at == distance.categories.end()) at = distance.categories.insert(at, category);
      line.points.push_back({static_cast<double>(at - distance.categories.begin()), s.percent()});
    }
  }
  return line_plot("Questions answered, by distance", distance, {.title = "answered, %"}, runs);
}

}  // namespace

RunResult read_result(const fs::path& run, const std::string& name, const std::string& family) {
  const Config config = load_config((run / "config.yaml").string());
  const ModelConfig& m = config.model;
  const KindInfo& kind = kind_info(m.kind);
  RunResult r{.name = name,
              .family = family,
              .kind = m.kind,
              .span_loss = kind.spans == Spans::none ? 0 : m.span.loss,
              .published = kind.published};
  std::vector<double> ms;
  bool validated = false;
  for (const auto& line : read_metrics(run)) {
    r.steps = line.value("step", r.steps);
    if (line.contains("ms")) ms.push_back(line["ms"]);
    r.peak_bytes = std::max(r.peak_bytes, line.value("peak_bytes", int64_t{0}));
    validated = line.contains("valid_bpb");
    if (!validated) continue;
    r.bits_per_byte = line["valid_bpb"];
    r.mean_rows = line["valid_mean_rows"];
    r.recall.clear();
    if (!line.contains("recall")) continue;
    for (const auto& s : line["recall"])
      if (s["asked"] > 0) r.recall.push_back({s["nearest"], s["farthest"], s["asked"], s["right"]});
  }
  if (!validated || ms.empty())
    refuse("{}: its metrics have no final validation (was the run made by fade compare?)", run.string());
  r.ms = median(ms);
  r.tokens_per_s = 1000 / r.ms * config.train.batch * m.block * config.train.accumulate;
  for (const NamedTensor& t : load_safetensors(find_weights(run)).tensors) r.parameters += t.tensor.numel();
  return r;
}

std::string comparison_table(const std::vector<RunResult>& results) {
  return lines(results, "", "  ", "\n", true, "") +
         "published: Expire-Span (2021), 12 layers of 512 on enwik8: bits per byte, GPU memory, ms per batch\n";
}

void write_comparison(const fs::path& out, const std::vector<RunResult>& results) {
  write_file_atomically(out / "comparison.csv", lines(results, "", ",", "\n", false, ""));
  write_file_atomically(out / "comparison.md", markdown(results));
  write_file_atomically(out / "comparison.svg", bars(results));
  const bool families = std::ranges::any_of(results, [](const RunResult& r) { return r.family != r.name; });
  if (families) write_file_atomically(out / "tradeoff.svg", tradeoff(results));
  const bool asked = std::ranges::any_of(results, [](const RunResult& r) { return !r.recall.empty(); });
  if (asked) write_file_atomically(out / "recall.svg", recall(results));
}

}  // namespace fade
