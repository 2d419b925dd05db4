#include "train/config/corpus_path.h"

#include <fmt/format.h>

#include <system_error>

namespace fade {
namespace fs = std::filesystem;

void find_corpus(DataConfig& data, const fs::path& folder) {
  data.folder = folder.string();
  const fs::path path = data.path;
  std::error_code ignored;  // what cannot be looked at is not there; opening it gives the reason
  if (data.path.empty() || data.path == "-" || path.is_absolute() || folder.empty() ||
      fs::exists(path, ignored))
    return;
  if (fs::exists(folder / path, ignored)) data.path = (fs::weakly_canonical(folder, ignored) / path).string();
}

std::string searched_folders(const DataConfig& data) {
  if (fs::path(data.path).is_absolute()) return "";
  std::error_code error;
  const fs::path here = fs::current_path(error);
  return fmt::format(" in {}{}", error ? "the working directory" : here.string(),
                     data.folder.empty() ? "" : ", nor beside the configuration in " + data.folder);
}

}  // namespace fade
