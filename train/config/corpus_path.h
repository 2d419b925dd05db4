// Where the file that data.path names lies.
#pragma once

#include <filesystem>
#include <string>

#include "train/config/config.h"

namespace fade {

/// Has a relative data.path looked for in the working directory, then in `folder`, that of the configuration
/// file: `data` keeps the place where something is, or the path as it was where nothing is.
void find_corpus(DataConfig& data, const std::filesystem::path& folder);

/// Where find_corpus has looked, for an error: " in /home/me, nor beside the configuration in conf"; nothing for
/// an absolute path.
std::string searched_folders(const DataConfig& data);

}  // namespace fade
