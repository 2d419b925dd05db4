// The kinds of attention: one row of a table per kind. Everything outside models/ that depends on the kind
// reads it here. models/README.md says how a kind is added.
#pragma once

#include <array>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "engine/rng.h"
#include "models/config.h"

namespace fade {

class Attention;
class Parameters;

/// Whose spans a kind learns.
enum class Spans {
  none,      ///< no spans
  of_heads,  ///< a span per layer and head, a parameter
  of_rows    ///< a span per layer and row, predicted from its hidden state
};
/// For programs that read the output: "none", "heads", "rows".
std::string_view name_of(Spans spans);

/// The figures of a kind on enwik8 in the table of Sukhbaatar et al. 2021: bits per byte on test, memory of a
/// GPU, time of a batch; models of the same size, the authors' own and the others as they trained them.
struct Published {
  double bits_per_byte;  ///< on the test split
  double gigabytes;      ///< memory of a GPU
  double ms;             ///< time of a batch
};

/// Refuses the value of `key` unless `holds`: `other` is the key that it has to agree with, `allowed` the end
/// of the error, after "allowed: ".
using Need =
    std::function<void(bool holds, std::string_view key, std::string_view other, std::string_view allowed)>;

/// What everything outside models/ knows of a kind.
struct KindInfo {
  Kind kind;              ///< which
  std::string_view name;  ///< in configurations

  /// A new layer's attention, whose parameters are added as NAME.query, ..
  std::unique_ptr<Attention> (*make)(Parameters&, const std::string& name, const ModelConfig&, Generator&);
  /// P: rows of the position table (spec section 2).
  int64_t (*position_rows)(const ModelConfig&);
  /// Checks configurations beyond the range of each key; null: nothing to check.
  void (*check)(const ModelConfig&, const Need&) = nullptr;
  /// No row of a trained memory gets older than this (a bound for checkpoints that are read).
  int64_t (*oldest_age)(const ModelConfig&);

  Spans spans = Spans::none;  ///< whose spans it learns
  /// What is in a memory besides single rows, in words; null: nothing.
  std::string (*memory)(const ModelConfig&) = nullptr;
  double initial_span = 0.1;  ///< model.span.init where a configuration does not set it
  /// StepOptions::forget = false keeps every row, and forget_late some for longer. Where it is false, rows that leave are
  /// compressed and cannot be kept.
  bool can_keep_all = true;
  std::optional<Published> published = {};  ///< for `fade compare`
};

/// In the order of enum Kind.
extern const std::array<KindInfo, kKindCount> kKinds;

/// The row of `kind`. Throws Error when the table has none.
const KindInfo& kind_info(Kind kind);

}  // namespace fade
