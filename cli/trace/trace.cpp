#include "cli/trace/trace.h"

#include <algorithm>
#include <map>

#include "engine/median.h"
#include "engine/module_scope.h"

namespace fade {
namespace {

// The times of `step` become those of `sum` plus those of `step`.
void add_times(std::vector<TraceRow>& sum, const std::vector<TraceRow>& step) {
  if (sum.size() != step.size()) fail("trace: steps of {} and of {} rows", sum.size(), step.size());
  for (size_t i = 0; i < sum.size(); ++i) {
    if (sum[i].op != step[i].op || sum[i].module != step[i].module)
      fail("trace: row {} is {} of {} in one step, {} of {} in another", i, sum[i].op, sum[i].module,
           step[i].op, step[i].module);
    sum[i].forward_ms += step[i].forward_ms;
    sum[i].backward_ms += step[i].backward_ms;
  }
}

int64_t gradient_bytes(const Transformer& model) {
  int64_t bytes = 0;
  for (const Tensor& leaf : model.parameters().leaves())
    if (const Tensor g = leaf.grad()) bytes += static_cast<int64_t>(g.size_bytes());
  return bytes;
}

}  // namespace

Trace trace_steps(BenchStep& step, int steps) {
  const Device device = step.model().device();
  for (int i = 0; i < BenchStep::kWarmUp; ++i) step.run();
  std::vector<double> ms;
  std::vector<TracedStep> traced;
  Trace trace;
  int64_t highest = 0;  // peak of the traced steps
  for (int i = 0; i < steps; ++i) {
    ms.push_back(step.run());
    trace.peak_bytes = std::max(trace.peak_bytes, memory_stats(device).peak);
    const int64_t gradients = gradient_bytes(step.model());  // of the step before, which the next one frees
    const ModuleScope scope("step");                         // of what is done between the trace and the step
    StepTrace observer(step.tape(), device, step.given());
    step.run();
    traced.push_back(observer.finish());
    const TracedStep& now = traced.back();
    if (i == 0 || now.peak_bytes > highest) {
      highest = now.peak_bytes;
      trace.before_bytes = now.start_bytes - gradients;
      trace.peak_row = now.peak_row;
      trace.peak_in_backward = now.peak_in_backward;
    }
    trace.peak_bytes = std::max(trace.peak_bytes, now.peak_bytes);
  }
  trace.step_ms = median(ms);

  // Like the median, the middle half is not spoilt by an interruption; and its means have the sum's mean.
  std::ranges::sort(traced, {}, &TracedStep::ms);
  const size_t first = traced.size() / 4, last = traced.size() - first;
  trace.rows = traced[first].rows;
  for (size_t i = first + 1; i < last; ++i) add_times(trace.rows, traced[i].rows);
  for (TraceRow& row : trace.rows) {
    row.forward_ms /= static_cast<double>(last - first);
    row.backward_ms /= static_cast<double>(last - first);
    trace.traced_ms += row.forward_ms + row.backward_ms;
  }
  return trace;
}

int64_t saved_bytes(const std::vector<TraceRow>& rows) {
  int64_t bytes = 0;
  for (const TraceRow& row : rows) bytes += row.saved_bytes;
  return bytes;
}

std::string part_of_model(const std::string& module) {
  size_t names = 0, at = 0;
  while (at < module.size()) {
    const size_t dot = std::min(module.find('.', at), module.size());
    const bool number = module.find_first_not_of("0123456789", at) >= dot;
    names += !number;
    if (names > 2) return module.substr(0, at - 1);
    at = dot + 1;
  }
  return module;
}

Trace folded(const Trace& trace) {
  Trace folded = trace;
  folded.rows.clear();
  std::map<std::string, size_t> part_row;
  std::vector<size_t> moved_to;
  for (const TraceRow& row : trace.rows) {
    const std::string part = part_of_model(row.module);
    const auto [at, is_new] = part_row.try_emplace(part, folded.rows.size());
    if (is_new) folded.rows.push_back({.module = part});
    moved_to.push_back(at->second);
  }
  std::vector<std::vector<std::string>> ops(folded.rows.size());
  for (size_t i = 0; i < trace.rows.size(); ++i) {
    const TraceRow& row = trace.rows[i];
    TraceRow& sum = folded.rows[moved_to[i]];
    sum.on_tape |= row.on_tape;
    sum.saved_bytes += row.saved_bytes;
    sum.forward_ms += row.forward_ms;
    sum.backward_ms += row.backward_ms;
    if (row.on_tape && sum.shape.dims() == 0) sum.shape = row.shape;
    if (std::vector<std::string>& names = ops[moved_to[i]];
        std::ranges::find(names, row.op) == names.end() && (row.op != StepTrace::kOther || names.empty()))
      names.push_back(row.op);
    for (TraceInput in : row.inputs) {
      if (size_t* const from = std::get_if<size_t>(&in)) {
        const Shape& shape = trace.rows[*from].shape;
        *from = moved_to[*from];
        if (*from != moved_to[i] && shape.dims() > 0) folded.rows[*from].shape = shape;
      }
      if (in != TraceInput(moved_to[i]) && std::ranges::find(sum.inputs, in) == sum.inputs.end())
        sum.inputs.push_back(in);
    }
  }
  for (size_t i = 0; i < ops.size(); ++i) folded.rows[i].op = fmt::format("{}", fmt::join(ops[i], ", "));
  folded.peak_row = moved_to[trace.peak_row];
  return folded;
}

}  // namespace fade
