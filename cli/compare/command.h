// `fade compare`: several configurations trained on the same data, and their figures side by side.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "cli/command.h"

namespace fade {

struct Compare final : Command {
  std::vector<std::string> paths, sets;
  std::string out, device;
  int steps = 0;
  double minutes = 0;
  std::vector<double> span_losses;

  explicit Compare(CLI::App& app);
  /// Trains each configuration, one after the other, in a run directory of its own below `out`: those that
  /// are finished are left alone, those that were interrupted go on. Prints the table, and writes it and
  /// pictures to `out`. Throws InputError, before anything is written, when the configurations differ in what
  /// must be common.
  void run() override;

 private:
  /// A run to be made: OUT/name, from a configuration.
  struct Plan {
    std::string name, family;
    Config config;
  };
  std::vector<Plan> plans() const;
};

}  // namespace fade
