// The configuration of a run that is given a text instead of a configuration.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "train/config/config.h"

namespace fade {

/// configs/enwik8_cpu.yaml, a model for a laptop, as it was when the program was built.
extern const char* const kLaptopPreset;

/// True for names that end in .yaml or .yml: those of configurations. Any other file is a text.
bool is_configuration_name(const std::filesystem::path& path);

/// A configuration for a text, and what to tell about it.
struct TextConfig {
  Config config;     ///< the laptop preset, with the text as its corpus
  std::string note;  ///< one line: the preset, and the settings that were fitted to the text
};

/// The laptop preset with the file at `path` ("-": standard input) as its corpus, and with `overrides`, which
/// are "key.path=value". Where the text is too short for the preset's block, streams, steps, warm-up or
/// validations, they are lowered, unless `overrides` set them: a stream then has eight blocks where that is
/// possible, and the text is read forty times. A text of unknown length, from a pipe, is not fitted. Throws
/// InputError when nothing is at the path, or a directory, weights or a configuration, when the text is
/// empty or too short, and as parse_config does.
TextConfig config_for_text(const std::string& path, const std::vector<std::string>& overrides);

}  // namespace fade
