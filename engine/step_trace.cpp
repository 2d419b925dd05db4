#include "engine/step_trace.h"

#include <algorithm>
#include <set>

namespace fade {
namespace {

using Clock = std::chrono::steady_clock;

double ms_between(Clock::time_point from, Clock::time_point to) {
  return std::chrono::duration<double, std::milli>(to - from).count();
}

// What reading the clock takes: it is part of every time that is measured.
double clock_ms() {
  double least = 1;
  for (int i = 0; i < 100; ++i) {
    const Clock::time_point start = Clock::now();
    least = std::min(least, ms_between(start, Clock::now()));
  }
  return least;
}

}  // namespace

StepTrace::StepTrace(Tape& tape, Device device, const std::vector<NamedTensor>& given)
    : tape_(tape),
      device_(device),
      tape_before_(tape.observe(this)),
      modules_before_(ModuleScope::observe(this)) {
  for (const NamedTensor& g : given) {
    std::string& names = given_[g.tensor.impl()->storage.get()];  // several parameters may share a storage
    names += (names.empty() ? "" : " + ") + g.name;
  }
  reset_peak(device);
  step_.start_bytes = step_.peak_bytes = memory_stats(device).live;
  clock_ms_ = clock_ms();
  last_ = Clock::now();
}

StepTrace::~StepTrace() { stop(); }

void StepTrace::stop() {
  if (!std::exchange(observing_, false)) return;
  tape_.observe(tape_before_);
  ModuleScope::observe(modules_before_);
}

// Milliseconds since the end of the last event.
double StepTrace::lap() {
  if (device_ != Device::cpu) backend(device_).synchronize();
  return std::max(ms_between(last_, Clock::now()) - clock_ms_, 0.0);
}

void StepTrace::charge(double TraceRow::*pass, size_t row, double ms) {
  step_.rows[row].*pass += ms;
  step_.ms += ms;
  if (const int64_t peak = memory_stats(device_).peak; peak > step_.peak_bytes) {
    step_.peak_bytes = peak;
    step_.peak_row = row;
    step_.peak_in_backward = pass == &TraceRow::backward_ms;
  }
}

size_t StepTrace::other_row() {
  const std::string module(ModuleScope::current());
  const auto [at, is_new] = others_.try_emplace(module, step_.rows.size());
  if (is_new) step_.rows.push_back({.op = kOther, .module = module});
  return at->second;
}

void StepTrace::end_work() {
  const double ms = lap();
  charge(in_backward_ ? &TraceRow::backward_ms : &TraceRow::forward_ms,
         last_output_ ? *last_output_ : other_row(), ms);
  last_output_.reset();
  in_backward_ = false;
  last_ = Clock::now();
}

void StepTrace::on_switch() noexcept {
  try {
    end_work();
  } catch (...) {  // a device that failed fails again at its next use, where the error can be thrown
    return;
  }
}

void StepTrace::on_output(const OpDef& op, size_t node, const Tensor& out,
                          std::initializer_list<const Tensor*> inputs) {
  const double ms = lap();
  const size_t row = step_.rows.size();
  TraceRow& added = step_.rows.emplace_back();
  added.op = op.name;
  added.module = ModuleScope::current();
  added.shape = out.shape();
  for (const Tensor* t : inputs) {
    const auto known = *t ? given_.find(t->impl()->storage.get()) : given_.end();
    added.inputs.emplace_back(!*t ? "" : known == given_.end() ? "constant" : known->second);
  }
  row_of_node_.resize(node);  // the operation before this one became no node if it got the same number
  row_of_node_.push_back(row);
  charge(&TraceRow::forward_ms, row, ms);
  last_output_ = row;
  last_ = Clock::now();
}

void StepTrace::on_backward(const Tape& tape) {
  end_work();
  row_of_node_.resize(tape.size());
  std::map<uint32_t, size_t> producer;  // the row of the node whose result has a slot
  std::set<const Storage*> counted;
  for (const auto& [storage, name] : given_) counted.insert(storage);
  for (size_t i = 0; i < tape.size(); ++i) {
    const Node& node = tape.node(i);
    TraceRow& row = step_.rows[row_of_node_[i]];
    row.on_tape = true;
    for (size_t k = 0; k < node.input_count; ++k)
      if (const auto made = producer.find(node.inputs[k]); made != producer.end())
        row.inputs[k] = made->second;
    producer[node.output] = row_of_node_[i];
    for (size_t k = 0; k < node.saved_count; ++k)
      if (const Tensor& t = node.saved[k].tensor; t && counted.insert(t.impl()->storage.get()).second)
        row.saved_bytes += static_cast<int64_t>(t.impl()->storage->bytes);
  }
  in_backward_ = true;
  last_ = Clock::now();
}

void StepTrace::on_done(size_t node) {
  const double ms = lap();
  charge(&TraceRow::backward_ms, row_of_node_[node], ms);
  last_ = Clock::now();
}

TracedStep StepTrace::finish() {
  end_work();
  stop();
  for (TraceRow& row : step_.rows)  // inputs that were left out
    std::erase_if(row.inputs, [](const TraceInput& in) {
      const auto* const name = std::get_if<std::string>(&in);
      return name && name->empty();
    });
  sort_rows();
  return std::move(step_);
}

void StepTrace::sort_rows() {
  const auto place = [&](size_t i) {
    const TraceRow& row = step_.rows[i];
    return row.on_tape ? 0 : row.op == kOther ? 2 : 1;
  };
  std::vector<size_t> order(step_.rows.size()), moved_to(order.size());
  for (size_t i = 0; i < order.size(); ++i) order[i] = i;
  std::ranges::stable_sort(order, {}, place);
  for (size_t i = 0; i < order.size(); ++i) moved_to[order[i]] = i;
  std::vector<TraceRow> sorted;
  for (const size_t i : order) sorted.push_back(std::move(step_.rows[i]));
  for (TraceRow& row : sorted)
    for (TraceInput& in : row.inputs)
      if (size_t* const at = std::get_if<size_t>(&in)) *at = moved_to[*at];
  step_.rows = std::move(sorted);
  if (!moved_to.empty()) step_.peak_row = moved_to[step_.peak_row];
}

}  // namespace fade
