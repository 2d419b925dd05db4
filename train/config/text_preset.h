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

/// The laptop preset with the file at `path` as its corpus, and what to tell about it. Where the text is too
/// short for the preset's block, streams, steps, warm-up or validations, they are lowered, unless
/// `overrides` set them: a stream then has eight blocks where that is possible, and the text is read forty
/// times. Throws InputError when nothing is at the path, it reads as a configuration, or is empty or too
/// short, and as parse_config does.
struct TextConfig {
  Config config;
  std::string note;
};
TextConfig config_for_text(const std::string& path, const std::vector<std::string>& overrides);

}  // namespace fade
