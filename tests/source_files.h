// The repository's own files, for tests of structure and text.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace fade::test {

/// The folder of the repository, or of a copy: the one that the environment variable FADE_ROOT names, or in
/// which this program lies, or else the working directory. (A path known when it is compiled would be wrong on
/// another machine: scripts/gpu_bundle.sh.) Without any of them: the working directory.
std::filesystem::path find_root();
inline const std::filesystem::path kRoot = find_root();

/// The text of a file of the repository ("docs/spans.md"); empty if there is none.
std::string source_text(const std::string& path);

/// The layers, each of which may include itself and those before it.
inline const std::vector<std::string> kLayers{"engine", "ops", "nn", "models", "train", "cli"};

/// Every file with one of these extensions (".h") in the root and
/// in the folders that hold sources and documents.
std::vector<std::filesystem::path> files_with(const std::vector<std::string_view>& extensions);

/// Calls f for each line of a file, which must be readable; numbers start at 1.
void for_lines(const std::filesystem::path& file,
               const std::function<void(int number, const std::string&)>& f);

std::vector<std::string> lines_of(const std::filesystem::path& file);

/// "FOLDER/FILE:LINE", as compilers write it.
std::string place(const std::filesystem::path& file, int64_t line);

}  // namespace fade::test
