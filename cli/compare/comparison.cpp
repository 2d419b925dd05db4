#include "cli/compare/comparison.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "cli/compare/plot.h"
#include "engine/io/hash.h"
#include "engine/io/output.h"
#include "engine/io/safetensors.h"
#include "engine/io/utf8.h"
#include "engine/median.h"
#include "train/checkpoint/weights.h"
#include "train/config/file.h"
#include "train/config/resolve.h"
#include "train/figure.h"
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

const std::vector<Column> kMeasured = {
    {"run", [](const RunResult& r) { return printable(r.run.directory()); }},
    {"kind", [](const RunResult& r) { return std::string(name_of(r.kind)); }},
    {"parameters", [](const RunResult& r) { return fmt::to_string(r.parameters); }},
    {"steps", [](const RunResult& r) { return fmt::to_string(r.steps); }},
    {"bits/byte",
     [](const RunResult& r) {
       return figure(r.bits_per_byte, 4) + (r.seeds > 1 ? fmt::format(" ± {:.4f}", r.deviation) : "");
     }},
    {"ms/batch", [](const RunResult& r) { return figure(r.ms, 1); }},
    {"tokens/s", [](const RunResult& r) { return figure(r.tokens_per_s, 0); }},
    {"peak MiB", [](const RunResult& r) { return figure(mebibytes(r), 1); }},
    {"mean rows", [](const RunResult& r) { return figure(r.mean_rows, 1); }},
    {"span loss",
     [](const RunResult& r) { return r.span_loss > 0 ? fmt::format("{}", r.span_loss) : std::string("-"); }},
};
const Column kSeeds = {"seeds", [](const RunResult& r) { return fmt::to_string(r.seeds); }};
const Column kSeed = {"seed",
                      [](const RunResult& r) { return r.run.seed ? fmt::to_string(*r.run.seed) : "-"; }};
const std::vector<Column> kPublished = {
    {"published bits/byte",
     [](const RunResult& r) { return published(r, &Published::bits_per_byte, "{:.2f}"); }},
    {"GB", [](const RunResult& r) { return published(r, &Published::gigabytes); }},
    {"ms", [](const RunResult& r) { return published(r, &Published::ms); }},
};

bool any_published(const std::vector<RunResult>& results) {
  return std::ranges::any_of(results, [](const RunResult& r) { return r.published.has_value(); });
}

bool several_seeds(const std::vector<RunResult>& results) {
  return std::ranges::any_of(results, [](const RunResult& r) { return r.seeds > 1; });
}

std::vector<Column> columns_of(const std::vector<RunResult>& results) {
  std::vector<Column> columns = kMeasured;
  if (several_seeds(results)) columns.push_back(kSeeds);
  if (std::ranges::any_of(results, [](const RunResult& r) { return r.run.seed.has_value(); }))
    columns.push_back(kSeed);
  if (any_published(results)) columns.insert(columns.end(), kPublished.begin(), kPublished.end());
  return columns;
}

/// How a table is written.
struct Layout {
  std::string begin, separator, end;  ///< of a line, and between its cells
  bool padded;                        ///< cells fill columns
  std::string rule = {};              ///< below the headings
  std::string (*quote)(std::string cell) = [](std::string cell) { return cell; };
};

std::string lines(const std::vector<RunResult>& results, const Layout& layout) {
  std::vector<std::vector<std::string>> rows(results.size() + 1);  // headings first
  std::vector<size_t> widths;
  for (const Column& column : columns_of(results)) {
    rows[0].push_back(layout.quote(column.heading));
    for (size_t r = 0; r < results.size(); ++r) rows[r + 1].push_back(layout.quote(column.cell(results[r])));
    size_t width = 0;
    for (const auto& row : rows) width = std::max(width, utf8_length(row.back()));
    widths.push_back(layout.padded ? width : 0);
  }
  std::string text;
  for (size_t r = 0; r < rows.size(); ++r) {
    std::string line = layout.begin;
    for (size_t c = 0; c < widths.size(); ++c) {
      const std::string& cell = rows[r][c];
      const size_t width = utf8_length(cell);
      line += (c ? layout.separator : "") + cell + std::string(std::max(widths[c], width) - width, ' ');
    }
    while (line.ends_with(' ') && layout.end == "\n") line.pop_back();
    text += line + layout.end + (r == 0 ? layout.rule : "");
  }
  return text;
}

/// RFC 4180: what holds a comma or a quote stands in quotes, which are doubled inside.
std::string csv_cell(std::string cell) {
  if (cell.find_first_of(",\"") == std::string::npos) return cell;
  for (size_t quote = 0; (quote = cell.find('"', quote)) != std::string::npos; quote += 2)
    cell.insert(quote, 1, '"');
  return '"' + cell + '"';
}

/// A bare bar would end the cell.
std::string markdown_cell(std::string cell) {
  for (size_t bar = 0; (bar = cell.find('|', bar)) != std::string::npos; bar += 2) cell.insert(bar, 1, '\\');
  return cell;
}

/// What the table's signs mean.
std::string legend(const std::vector<RunResult>& variants) {
  if (!several_seeds(variants)) return {};
  return "of several seeds: bits/byte as mean ± the largest distance from it; means of rows and times; the largest peak\n";
}

std::string markdown(const std::vector<RunResult>& results) {
  std::string rule = "|";
  for (size_t c = 0; c < columns_of(results).size(); ++c) rule += "---|";
  const std::string note = legend(results);
  return lines(results, {"| ", " | ", " |\n", true, rule + "\n", markdown_cell}) +
         (note.empty() ? "" : "\n" + note);
}

std::string csv(const std::vector<RunResult>& results) {
  return lines(results, {"", ",", "\n", false, "", csv_cell});
}

std::string bars(const std::vector<RunResult>& results) {
  std::vector<std::string> names;
  std::vector<size_t> styles;
  std::vector<BarPanel> panels = {{.title = "bits per byte", .decimals = 4, .from_zero = false},
                                  {.title = "ms per batch", .decimals = 1},
                                  {.title = "peak memory, MiB", .decimals = 1},
                                  {.title = "rows in memory", .decimals = 1}};
  for (const RunResult& r : results) {
    names.push_back(r.run.directory());
    panels.front().deviations.push_back(r.deviation);
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

std::string curves(const std::vector<RunResult>& results) {
  std::vector<PlotLine> runs;
  for (const RunResult& r : results)
    if (PlotLine& line = line_of(runs, r.run.variant, r.kind); !r.curve.empty()) {
      if (!line.points.empty()) line.points.push_back({NAN, NAN});  // another seed's curve begins
      for (const CurvePoint& point : r.curve) line.points.push_back({point.seconds, point.bits_per_byte});
    }
  return line_plot("Bits per byte over training time", {.title = "training time, seconds"},
                   {.title = "bits per byte"}, runs);
}

std::string tradeoff(const std::vector<RunResult>& results) {
  std::vector<PlotLine> families;
  for (const RunResult& r : results)
    line_of(families, r.run.family, r.kind)
        .points.push_back({std::max(r.mean_rows, 1.0), r.bits_per_byte,
                           r.span_loss > 0 ? fmt::format("{}", r.span_loss) : ""});
  for (PlotLine& family : families) std::ranges::sort(family.points, {}, &PlotPoint::x);
  return line_plot("Bits per byte against memory, by coefficient of the span loss",
                   {.title = "rows in memory per stream and layer", .logarithmic = true},
                   {.title = "bits per byte"}, families);
}

std::string recall(const std::vector<RunResult>& results) {
  std::vector<PlotLine> runs;
  PlotAxis distance{.title = "rows between the question and its fact"};
  for (const RunResult& r : results) {
    PlotLine& line = line_of(runs, r.run.variant, r.kind);
    for (const RecallScore& s : r.recall) {
      const std::string category = fmt::format("{}-{}", s.nearest, s.farthest);
      auto at = std::ranges::find(distance.categories, category);
      if (at == distance.categories.end()) at = distance.categories.insert(at, category);
      line.points.push_back({static_cast<double>(at - distance.categories.begin()), s.percent()});
    }
  }
  return line_plot("Questions answered, by distance", distance, {.title = "answered, %"}, runs);
}

RunResult pooled(const std::vector<const RunResult*>& runs) {
  RunResult all = *runs.front();
  all.seeds = runs.size();
  all.curve.clear();
  const auto mean = [&](auto RunResult::*what) {
    double sum = 0;
    for (const RunResult* r : runs) sum += static_cast<double>(r->*what);
    return sum / static_cast<double>(runs.size());
  };
  for (const auto what :
       {&RunResult::bits_per_byte, &RunResult::mean_rows, &RunResult::ms, &RunResult::tokens_per_s})
    all.*what = mean(what);
  all.steps = std::llround(mean(&RunResult::steps));  // with --minutes the clock chooses each run's
  all.deviation = std::isfinite(all.bits_per_byte) ? 0 : NAN;
  for (const RunResult* r : runs) {
    all.deviation = std::max(all.deviation, std::abs(r->bits_per_byte - all.bits_per_byte));
    all.peak_bytes = std::max(all.peak_bytes, r->peak_bytes);
    if (r == runs.front()) continue;
    for (size_t i = 0; i < r->recall.size(); ++i) {  // the same questions, whatever the seed
      all.recall.at(i).asked += r->recall[i].asked;
      all.recall.at(i).right += r->recall[i].right;
    }
  }
  return all;
}

}  // namespace

bool is_enwik8(const Corpus& corpus) {
  constexpr size_t kSize = 100'000'000, kBeginning = 1 << 16;
  const Bytes all = corpus.bytes(Split::all);
  if (all.size() < kBeginning || all.size() > kSize) return false;
  ContentHash hash;
  all.part(0, kBeginning).each_piece([&](std::span<const uint8_t> piece) {
    hash.add(piece.data(), piece.size());
  });
  return hash.digits() == "f8de4fdc101d62b19e0fa2527b3fa342";
}

std::string RunName::directory() const { return seed ? fmt::format("{}-seed-{}", variant, *seed) : variant; }

RunResult read_result(const fs::path& directory, const RunName& run) {
  const Config config = load_config((directory / "config.yaml").string());
  const ModelConfig& m = config.model;
  const KindInfo& kind = kind_info(m.kind);
  RunResult r{.run = run,
              .kind = m.kind,
              .span_loss = kind.spans == Spans::none ? 0 : m.span.loss,
              .published = kind.published};
  std::vector<double> ms;
  bool validated = false;
  const char* const clock = device_for(config.device) == Device::cpu ? "cpu_seconds" : "seconds";
  // JSON has no NaN: it is written as null.
  const auto number = [](const nlohmann::ordered_json& value) {
    return value.is_number() ? value.get<double>() : NAN;
  };
  for (const auto& [text, line] : read_metrics(directory)) {
    r.steps = line.value("step", r.steps);
    if (line.contains("ms") && line["ms"].is_number()) ms.push_back(line["ms"]);
    r.peak_bytes = std::max(r.peak_bytes, line.value("peak_bytes", int64_t{0}));
    validated = line.contains("valid_bpb");
    if (!validated) continue;
    r.bits_per_byte = number(line["valid_bpb"]);
    r.curve.push_back({number(line.value(clock, nlohmann::ordered_json())), r.bits_per_byte});
    r.mean_rows = number(line.value("valid_mean_rows", nlohmann::ordered_json()));
    r.recall.clear();
    if (!line.contains("recall")) continue;
    for (const auto& s : line["recall"])
      if (s["asked"] > 0) r.recall.push_back({s["nearest"], s["farthest"], s["asked"], s["right"]});
  }
  if (!validated || ms.empty())
    refuse("{}: its metrics have no final validation (was the run made by fade compare?)",
           directory.string());
  r.ms = median(ms);
  r.tokens_per_s = 1000 / r.ms * config.train.batch * m.block * config.train.accumulate;
  for (const NamedTensor& t : load_safetensors(find_weights(directory)).tensors)
    r.parameters += t.tensor.numel();
  return r;
}

std::vector<RunResult> over_seeds(const std::vector<RunResult>& results) {
  std::vector<std::vector<const RunResult*>> variants;
  for (const RunResult& r : results) {
    const auto same = std::ranges::find_if(
        variants, [&](const auto& runs) { return runs.front()->run.variant == r.run.variant; });
    (same == variants.end() ? variants.emplace_back() : *same).push_back(&r);
  }
  std::vector<RunResult> all;
  for (const auto& runs : variants) all.push_back(runs.size() == 1 ? *runs.front() : pooled(runs));
  for (RunResult& r : all) r.run.seed.reset();
  return all;
}

std::string comparison_table(const std::vector<RunResult>& results) {
  const std::vector<RunResult> variants = over_seeds(results);
  const std::string table = lines(variants, {"", "  ", "\n", true}) + legend(variants);
  if (!any_published(results)) return table;
  return table +
         "published: Expire-Span (2021), 12 layers of 512 on enwik8: bits per byte, GPU memory, ms per batch\n";
}

void write_comparison(const fs::path& out, const std::vector<RunResult>& results) {
  const std::vector<RunResult> variants = over_seeds(results);
  const auto put = [&](const char* name, bool wanted, const auto& text, const std::vector<RunResult>& of) {
    if (wanted)
      write_file_atomically(out / name, text(of));
    else
      remove_file(out / name);
  };
  const bool any = !results.empty();
  const bool families =
      std::ranges::any_of(variants, [](const RunResult& r) { return r.run.family != r.run.variant; });
  const bool validations =
      std::ranges::any_of(results, [](const RunResult& r) { return r.curve.size() > 1; });
  const bool asked = std::ranges::any_of(results, [](const RunResult& r) { return !r.recall.empty(); });
  put("comparison.csv", any, csv, results);
  put("comparison.md", any, markdown, variants);
  put("comparison.svg", any, bars, variants);
  put("curves.svg", validations, curves, results);
  put("tradeoff.svg", families, tradeoff, variants);
  put("recall.svg", asked, recall, variants);
}

}  // namespace fade
