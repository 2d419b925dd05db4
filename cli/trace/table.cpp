#include <algorithm>
#include <array>
#include <cmath>
#include <string_view>

#include "cli/trace/trace.h"
#include "train/figure.h"

namespace fade {
namespace {

double in_mebibytes(int64_t bytes) { return static_cast<double>(bytes) / (1 << 20); }
std::string mebibytes(int64_t bytes) { return figure(in_mebibytes(bytes), 1); }

// Decimals that show a thousandth of the sum of a column.
int decimals_for(double sum) {
  return sum > 0 ? std::clamp(3 - static_cast<int>(std::floor(std::log10(sum))), 2, 7) : 2;
}

std::string inputs_of(const TraceRow& row) {
  std::vector<std::string> names;
  for (const TraceInput& in : row.inputs)
    names.push_back(std::holds_alternative<size_t>(in) ? fmt::to_string(std::get<size_t>(in))
                                                       : std::get<std::string>(in));
  return fmt::format("{}", fmt::join(names, ", "));
}

// What was live at the peak. A storage that is saved at a node is released when backward has passed the node:
// of the saved bytes, those of the nodes up to the peak's were still there.
std::string peak_text(const Trace& trace, bool by_module) {
  const TraceRow& at = trace.rows[trace.peak_row];
  const std::string peak = fmt::format("peak {} MiB, in {}", mebibytes(trace.peak_bytes),
                                       trace.peak_in_backward ? "backward" : "forward");
  if (by_module) return fmt::format("{} of {}", peak, at.module);
  if (!at.on_tape) return fmt::format("{}, {} of {}", peak, at.op, at.module);
  const auto end = trace.rows.begin() + static_cast<std::ptrdiff_t>(trace.peak_row) + 1;
  const int64_t saved = saved_bytes({trace.rows.begin(), end});
  return fmt::format(
      "{} of node {} ({}, {}): {} there before the step, {} saved by nodes 0 to {}, "
      "{} gradients and working memory",
      peak, trace.peak_row, at.op, at.module, mebibytes(trace.before_bytes), mebibytes(saved), trace.peak_row,
      mebibytes(trace.peak_bytes - trace.before_bytes - saved));
}

using Cells = std::array<std::string, 9>;

// The columns from `first` on: words to the left, numbers to the right.
std::string aligned(const std::vector<Cells>& table, size_t first) {
  constexpr std::string_view kAlign = "><<<>>>>";  // the last column is as wide as it is
  std::array<size_t, kAlign.size()> width{};
  for (const Cells& row : table)
    for (size_t c = 0; c < width.size(); ++c) width[c] = std::max(width[c], row[c].size());
  std::string text;
  for (const Cells& row : table) {
    std::string line;
    for (size_t c = first; c < width.size(); ++c)
      line += kAlign[c] == '<' ? fmt::format("{:<{}}  ", row[c], width[c])
                               : fmt::format("{:>{}}  ", row[c], width[c]);
    line += row.back();
    line.erase(line.find_last_not_of(' ') + 1);
    text += line + "\n";
  }
  return text;
}

}  // namespace

std::string trace_table(const Trace& trace, bool by_module) {
  const double saved_sum = in_mebibytes(saved_bytes(trace.rows));
  const auto saved_text = [places = decimals_for(saved_sum)](double mib) {
    return fmt::format("{:.{}f}", mib, places);
  };
  const auto time_text = [places = decimals_for(trace.traced_ms)](double ms) {
    return fmt::format("{:.{}f}", ms, places);
  };
  std::vector<Cells> table{{"node", "op", "module", "shape", "saved MiB", "forward ms", "backward ms",
                            "share", by_module ? "operations" : "inputs"}};
  double forward = 0, backward = 0;
  for (size_t i = 0; i < trace.rows.size(); ++i) {
    const TraceRow& row = trace.rows[i];
    table.push_back({row.on_tape ? fmt::to_string(i) : "-", row.op, row.module,
                     row.on_tape ? row.shape.str() : "-", saved_text(in_mebibytes(row.saved_bytes)),
                     time_text(row.forward_ms), time_text(row.backward_ms),
                     fmt::format("{:.1f} %", 100 * (row.forward_ms + row.backward_ms) / trace.traced_ms),
                     by_module ? row.op : inputs_of(row)});
    forward += row.forward_ms;
    backward += row.backward_ms;
  }
  table.push_back(
      {"", "", "total", "", saved_text(saved_sum), time_text(forward), time_text(backward), "100 %", ""});
  return aligned(table, by_module ? 2 : 0);
}

std::string trace_summary(const Trace& trace, bool by_module) {
  return fmt::format("step {} ms; a traced step, the sum of the rows, {} ms\n{}\n", figure(trace.step_ms, 1),
                     figure(trace.traced_ms, 1), peak_text(trace, by_module));
}

}  // namespace fade
