// Files that appear whole or not at all.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>

namespace fade {

/// An open file. Closed with the object.
class Descriptor {
 public:
  /// As open(2). `ok()` says whether there is a file; errno has the reason if not.
  Descriptor(const std::filesystem::path& path, int flags);
  ~Descriptor();
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  int get() const { return fd_; }
  bool ok() const { return fd_ >= 0; }

 private:
  int fd_;
};

/// A file in the making: it is written beside its path and renamed into place by commit(), so that at every
/// instant the path is the old file or the whole new one. Without commit() nothing is left behind. All throw
/// Error with the system's reason.
class NewFile {
 public:
  explicit NewFile(const std::filesystem::path& path);
  ~NewFile();
  NewFile(const NewFile&) = delete;
  NewFile& operator=(const NewFile&) = delete;

  void append(std::string_view bytes);
  /// Overwrites bytes that were appended before.
  void overwrite(size_t offset, std::string_view bytes);
  /// Flushes the file to the disk, renames it into place, and flushes its folder.
  void commit();

 private:
  std::filesystem::path path_, beside_;
  Descriptor file_;
  bool committed_ = false;
};

/// A NewFile of these bytes, committed.
void write_file_atomically(const std::filesystem::path& path, std::string_view bytes);

/// Appends to a file, made if it is not there: all of `bytes`, or none when the disk has no room for them.
/// Throws Error with the system's reason.
void append_to_file(const std::filesystem::path& path, std::string_view bytes);

/// Flushes what was appended to a file to the disk. False when that failed.
bool flush_file(const std::filesystem::path& path);

/// Flushes a directory's entries to the disk, so that a rename in it survives a power cut.
void flush_directory(const std::filesystem::path& directory);

/// Renames within a directory, and flushes it.
void rename_durably(const std::filesystem::path& from, const std::filesystem::path& to);

/// A file read from its beginning on.
class FileReader {
 public:
  /// Throws InputError when it is missing, a directory, or cannot be opened.
  explicit FileReader(const std::filesystem::path& path);
  size_t size() const { return size_; }
  /// The next `count` bytes; fewer only where the file ends. Throws InputError.
  size_t read(void* bytes, size_t count);

 private:
  std::filesystem::path path_;
  Descriptor file_;
  size_t size_ = 0;
};

/// The whole file. Throws InputError when it is missing, a directory, or cannot be read.
std::string read_file(const std::filesystem::path& path);

}  // namespace fade
