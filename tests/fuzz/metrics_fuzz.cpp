// metrics.jsonl of a resumed run: whatever the file holds, opening it only drops lines, and the second time none;
// and a report reads it.
#include "cli/report/run_history.h"
#include "tests/fuzz/fuzz.h"
#include "train/run_log.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace fade;
  constexpr int64_t last_step = 50;
  const std::string path = fuzz::write("metrics.jsonl", fuzz::text_of(data, size));
  fuzz::allow_refusal([&] {
    const std::vector<MetricsLine> lines = read_metrics(fuzz::folder());
    const Curves few = thinned(training_curves(lines), 30);
    fuzz::require(few.steps.size() <= lines.size() && validation_curves(lines).steps.size() <= lines.size(),
                  "a line is a point at most");
    { const RunLog opened(fuzz::folder(), last_step, false); }
    const std::string kept = fuzz::read(path);
    fuzz::require(kept.size() <= size + 1, "lines are dropped, not added");
    { const RunLog opened(fuzz::folder(), last_step, false); }
    fuzz::require(fuzz::read(path) == kept, "what was kept is kept again");
  });
  return 0;
}
