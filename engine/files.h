// Files that appear whole or not at all.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>

namespace fade {

/// Writes `bytes` beside `path`, flushes it to the disk, and renames it into place: at every instant `path`
/// is the old file or the new one. Throws Error with the system's reason.
void write_file_atomically(const std::filesystem::path& path, std::string_view bytes);

/// Flushes a directory's entries to the disk, so that a rename in it survives a power cut.
void flush_directory(const std::filesystem::path& directory);

/// The whole file. Throws InputError when it is missing, a directory, or cannot be read.
std::string read_file(const std::filesystem::path& path);

}  // namespace fade
