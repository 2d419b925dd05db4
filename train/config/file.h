// Configuration files: YAML in, a checked Config out, and back. docs/configuration.md lists every key.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "train/config/config.h"

namespace fade {

/// Reads and checks a YAML configuration. `overrides` are "key.path=value" as given to --set; they are
/// applied after the file, in order, and the last one wins. Keys left out keep the defaults of
/// train/config/config.h. A relative data.path is looked for in the working directory, then beside the file
/// (train/config/corpus_path.h). Throws InputError, its text beginning with FILE:LINE or `--set
/// key.path=value`, for a missing or unreadable file, broken YAML, an unknown or repeated key, a value of the
/// wrong type or out of range, and values that contradict each other. Allocates nothing whose size depends on
/// the values read.
Config load_config(const std::string& path, const std::vector<std::string>& overrides = {});

/// The same for a configuration in memory; `source` takes the file's place in errors.
Config parse_config(std::string_view text, const std::string& source,
                    const std::vector<std::string>& overrides = {});

/// The first override of this key, or nullptr. It points into `overrides`.
const std::string* find_override(const std::vector<std::string>& overrides, std::string_view key);

/// True for YAML whose sections are those of a configuration, whatever is in them.
bool reads_as_config(const std::string& text);

/// The whole configuration as YAML, every key written out: parse_config(to_yaml(c)) equals c, bit for bit.
std::string to_yaml(const Config& config);

}  // namespace fade
