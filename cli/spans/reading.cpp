#include "cli/spans/reading.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "engine/error.h"
#include "models/kinds.h"
#include "train/data/corpus.h"
#include "train/evaluate.h"

namespace fade {
namespace {

void require_numbers(std::span<const double> values, const std::string& name) {
  if (!std::ranges::all_of(values, [](double x) { return std::isfinite(x); }))
    fail("the model's spans or predictions of {} are not numbers (a damaged or diverged model)", name);
}

// Puts the losses of a block where they belong.
void take_losses(const EvalBlock& block, std::vector<double>& loss_bits, const std::string& name) {
  const size_t count = std::min(block.length, loss_bits.size() - block.offset - 1);  // not that of the end
  require_numbers(block.bits.first(count), name);
  std::ranges::copy(block.bits.first(count),
                    loss_bits.begin() + static_cast<std::ptrdiff_t>(block.offset) + 1);
}

std::vector<double> no_losses(size_t bytes) {
  return std::vector<double>(bytes, std::numeric_limits<double>::quiet_NaN());
}

void take_spans(const EvalBlock& block, SpanReading& reading, const std::string& name) {
  const Spans kind = kind_info(reading.model.kind).spans;
  for (size_t l = 0; l < block.report.spans.size(); ++l) {
    const std::vector<double> spans =
        block.report.spans[l].to(DType::f64).to(Device::cpu).to_vector<double>();
    require_numbers(spans, name);
    std::vector<double>& to = reading.span[l];
    if (kind == Spans::of_rows)
      std::ranges::copy(spans, to.begin() + static_cast<std::ptrdiff_t>(block.offset));
    else if (block.offset == 0) {
      reading.heads.push_back(spans);
      std::ranges::fill(to, std::ranges::max(spans));
    }
  }
}

// Rows and slots that query i of a compressive model sees. Memory holds whole blocks. Groups of c rows are
// counted from the stream's start; each becomes a slot when its oldest row is as far away as that of memory.
int64_t rows_and_slots(const ModelConfig& model, int64_t i) {
  const int64_t S = model.max_span, held = S / model.block * model.block;
  const int64_t groups = i < held ? 0 : (i - held) / model.compress.rate + 1;
  return std::min({i, S, held + i % model.block}) + std::min<int64_t>(groups, model.compress.slots + 1);
}

std::vector<int32_t> rows_seen(const ModelConfig& model, const std::vector<double>& span) {
  const auto bytes = static_cast<int64_t>(span.size());
  std::vector<int32_t> rows(span.size());
  if (model.kind == Kind::compressive) {
    for (int64_t i = 0; i < bytes; ++i)
      rows[static_cast<size_t>(i)] = static_cast<int32_t>(rows_and_slots(model, i));
    return rows;
  }
  std::vector<int32_t> change(span.size() + 1);  // of the number of rows, from query to query
  for (int64_t j = 0; j + 1 < bytes; ++j) {
    const int64_t last = std::min(bytes - 1, j + farthest_seen(model, span[static_cast<size_t>(j)]));
    ++change[static_cast<size_t>(j) + 1];
    --change[static_cast<size_t>(last) + 1];
  }
  int32_t now = 0;
  for (size_t i = 0; i < rows.size(); ++i) rows[i] = now += change[i];
  return rows;
}

std::vector<int64_t> default_cuts(const SpanReading& reading) {
  std::vector<int64_t> cuts;
  for (int64_t rows = 16; rows < farthest_seen(reading); rows *= 4) cuts.push_back(rows);
  return cuts;
}

}  // namespace

std::vector<uint8_t> with_end(std::span<const uint8_t> text) {
  std::vector<uint8_t> all(text.begin(), text.end());
  all.push_back(0);
  return all;
}

// A row is seen at distances δ with e > δ − R, that is up to ceil(e) + R − 1. For a head, e is compared with
// δ − 1.
int64_t farthest_seen(const ModelConfig& model, double span) {
  const auto end = static_cast<int64_t>(std::ceil(span)) + model.span.ramp;
  switch (kind_info(model.kind).spans) {
    case Spans::of_rows:
      return end - 1;
    case Spans::of_heads:
      return std::min<int64_t>(end, model.max_span);
    case Spans::none:
      break;
  }
  const bool slots = model.kind == Kind::compressive;
  return model.max_span + (slots ? int64_t{model.compress.slots + 1} * model.compress.rate - 1 : 0);
}

int64_t farthest_seen(const SpanReading& reading) {
  double longest = 0;
  for (const std::vector<double>& layer : reading.span) longest = std::max(longest, std::ranges::max(layer));
  return std::min(farthest_seen(reading.model, longest), static_cast<int64_t>(reading.text.size()) - 1);
}

SpanReading read_spans(const Transformer& model, std::span<const uint8_t> text, const std::string& name,
                       const ReadingOptions& options) {
  if (text.empty()) refuse("{}: empty (name a file with text in it)", name);
  check_vocabulary(Bytes(text), model.config().vocab, name);
  const auto layers = static_cast<size_t>(model.config().layers);
  const auto pass = [&](const std::string& what) {
    if (options.on_pass) options.on_pass(what);
  };
  SpanReading reading{.text = {text.begin(), text.end()},
                      .model = model.config(),
                      .span = std::vector(layers, std::vector<double>(text.size(), model.config().max_span)),
                      .heads = {},
                      .rows = {},
                      .loss_bits = no_losses(text.size()),
                      .memory_cut = {}};
  const std::vector<uint8_t> all = with_end(text);
  pass("the text");
  evaluate(model, all, name, {.on_block = [&](const EvalBlock& block) {
             take_losses(block, reading.loss_bits, name);
             take_spans(block, reading, name);
           }});
  for (const std::vector<double>& span : reading.span)
    reading.rows.push_back(rows_seen(model.config(), span));
  for (const int64_t rows : options.cuts ? *options.cuts : default_cuts(reading)) {
    pass(fmt::format("with memory cut to {}", rows));
    MemoryCut cut{rows, no_losses(text.size())};
    evaluate(model, all, name, {.window = rows, .on_block = [&](const EvalBlock& block) {
                                  take_losses(block, cut.loss_bits, name);
                                }});
    reading.memory_cut.push_back(std::move(cut));
  }
  return reading;
}

}  // namespace fade
