// The results of finished runs in comparison: a table for the terminal, CSV, Markdown, and plots.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "train/config/config.h"
#include "train/data/corpus.h"
#include "train/report.h"

namespace fade {

/// A validation during a run.
struct CurvePoint {
  double seconds = 0;  ///< of training before it, by the clock of `fade compare --minutes`
  double bits_per_byte = 0;
};

/// What a run is called. A variant is a configuration with one coefficient of the span loss, in all its seeds.
struct RunName {
  std::string variant;                ///< of its configuration and, by --span-loss, coefficient
  std::string family;                 ///< variants that differ in the coefficient alone share it
  std::optional<uint64_t> seed = {};  ///< by --seeds
  std::string directory() const;      ///< of the run, in that of the comparison
};

/// The result of one run, read from its directory, or of a variant's runs with several seeds (over_seeds).
struct RunResult {
  RunName run;
  size_t seeds = 1;  ///< number of runs
  Kind kind{};
  double span_loss = 0;  ///< coefficient; 0 for kinds without spans
  int64_t steps = 0, parameters = 0;
  double bits_per_byte = 0;                 ///< on the validation split, at the end
  double mean_rows = 0;                     ///< in memory per stream and layer, there
  double deviation = 0;                     ///< of the seeds' bits per byte from their mean: the largest
  double ms = 0;                            ///< per batch: median over the run
  double tokens_per_s = 0;                  ///< of the same
  int64_t peak_bytes = 0;                   ///< tensors, weights and optimizer included
  std::optional<Published> published = {};  ///< of its kind
  std::vector<RecallScore> recall = {};
  std::vector<CurvePoint> curve = {};  ///< its validations
};

/// True for enwik8, of which the published figures are, and for a beginning of it.
bool is_enwik8(const Corpus& corpus);

/// Reads DIRECTORY/config.yaml, DIRECTORY/metrics.jsonl and the newest weights. Throws InputError when the run
/// has no final validation.
RunResult read_result(const std::filesystem::path& directory, const RunName& run);

/// A result per variant. Of several seeds: the means of steps, bits per byte, rows, and time (NaN where one is), the
/// largest memory, the answers to all of their questions, and no curve.
std::vector<RunResult> over_seeds(const std::vector<RunResult>& results);

/// The table for a terminal, with a line per variant: several seeds' bits per byte as mean ± deviation; with the
/// published figures of each kind, and a dash for a kind without, or without those columns, when no result has any.
std::string comparison_table(const std::vector<RunResult>& results);

/// Writes OUT/comparison.csv with a line per run, OUT/comparison.md and .svg with one per variant, OUT/curves.svg if a
/// run has several validations, OUT/tradeoff.svg if a family has several variants, and OUT/recall.svg for the recall
/// corpus. Removes those of them that earlier results left and these do not make: without results, all.
void write_comparison(const std::filesystem::path& out, const std::vector<RunResult>& results);

}  // namespace fade
