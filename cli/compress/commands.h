// `fade compress` and `fade decompress`.
#pragma once

#include <string>

#include "cli/command.h"

namespace fade {

/// What both are given.
struct CodingArguments {
  CheckpointArguments checkpoint;
  std::string in, out;

  void declare(CLI::App& app, const char* in_is, const char* out_is);
  /// Throws InputError, before there is work to lose, when `out` can't be written.
  void check_out() const;
};

struct Compress final : Command {
  CodingArguments arguments;
  int streams = 0;
  bool json = false;

  explicit Compress(CLI::App& app);
  void run() override;
};

struct Decompress final : Command {
  CodingArguments arguments;

  explicit Decompress(CLI::App& app);
  void run() override;
};

}  // namespace fade
