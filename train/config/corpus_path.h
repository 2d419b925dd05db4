// Where the file that data.path names lies.
#pragma once

#include <filesystem>
#include <string>

#include "train/config/config.h"

namespace fade {

/// Has a relative data.path looked for in the working directory, then in `folder`, that of the configuration
/// file: there, `data` keeps the absolute path. Where nothing is, the path stays as it was.
void find_corpus(DataConfig& data, const std::filesystem::path& folder);

/// Where find_corpus has looked, for an error: " in /home/me, nor beside the configuration in conf"; nothing
/// for an absolute path.
std::string searched_folders(const DataConfig& data);

}  // namespace fade
