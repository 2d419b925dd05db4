// Chapter 8: training on a small recall corpus with several prices and ramps. docs/course/8_training.md
#include "examples/course/course.h"
#include "examples/course/small_run.h"
#include "train/data/recall.h"
#include "train/report.h"

using namespace fade;

/// The mean span that layer 1 gives to a kind of byte.
double span_of(const Report& report, std::string_view kind) {
  for (const KindSpans& row : report.spans)
    if (row.kind == kind) return row.mean_span[1];
  fail("no byte is {}", kind);
}

/// Percent of the questions that are answered.
double answered(const Report& report) {
  int64_t asked = 0, right = 0;
  for (const RecallScore& score : report.recall) asked += score.asked, right += score.right;
  return 100 * static_cast<double>(right) / static_cast<double>(asked);
}

enum class Curve { hidden, shown };

/// Trains to the end, shows the curve if asked to, and returns a line of the table.
std::string train(double price, int ramp, Curve curve = Curve::hidden) {
  const Config config = small_run(price, ramp);
  const Corpus corpus(config.data);
  Trainer trainer(config, corpus);
  double bits = 0;  // of the steps since the last line
  int steps = 0;
  while (trainer.steps_done() < config.train.steps) {
    const Trainer::Step s = trainer.step();
    const int64_t n = trainer.steps_done();
    bits += s.bits, ++steps;
    if (curve == Curve::hidden || (n != 1 && n % 20 != 0)) continue;
    fmt::print("{:4} {:6.3f} {:9.5f} {:6.1f} {:6.1f}\n", n, bits / steps, s.aux, *s.mean_span, s.mean_rows);
    bits = steps = 0;
  }
  const Report report = report_on(trainer);
  return fmt::format("{:6g} {:5} {:6.3f} {:6.1f} {:6.1f} {:6.1f} {:6.0f} %\n", price, ramp,
                     report.validation.bits_per_byte, report.validation.mean_rows,
                     span_of(report, "fact: its value"), span_of(report, "noise"), answered(report));
}

int main() {
  const RecallBounds bounds = recall_bounds(small_run(0, 8).data.recall);
  fmt::print("bits per byte: {:.3f} at best, {:.3f} without memory\n", bounds.best, bounds.forgetful);
  fmt::print("step   bits       aux   span   rows\n");
  std::string table = train(1e-3, 8, Curve::shown);
  for (const double price : {0.0, 1e-4, 1e-2}) table += train(price, 8);
  for (const int ramp : {2, 32}) table += train(1e-3, ramp);
  fmt::print(" price  ramp   bits   rows  value  noise  answered\n{}", table);
}
