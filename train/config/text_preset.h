// The configuration of a run that is given a text instead of a configuration.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "train/config/config.h"

namespace fade {

/// configs/enwik8_cpu.yaml, a model for a laptop, as it was when the program was built.
extern const char* const kLaptopPreset;

/// True for names that end in .yaml or .yml: those of configurations. Any other file is a text.
bool is_configuration_name(const std::filesystem::path& path);

/// The laptop preset with the file at `path` ("-": standard input) as its corpus, and with `overrides`, which
/// are "key.path=value". Throws InputError when nothing is at the path, or a directory, a device,
/// weights or a configuration, and as parse_config does.
Config config_for_text(const std::string& path, const std::vector<std::string>& overrides);

/// The length of a text; none when it is not known before it is read: of a pipe or a device. Throws InputError when it is empty
/// or shorter than 3 bytes.
std::optional<int64_t> text_bytes(const std::string& path);

}  // namespace fade
