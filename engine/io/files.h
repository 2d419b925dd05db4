// Files: written so that they appear whole or not at all; read in order, at once, or as mapped memory.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <string_view>

namespace fade {

/// An open file, closed by the destructor.
class Descriptor {
 public:
  /// As open(2). ok() is false, and errno set, when that failed.
  Descriptor(const std::filesystem::path& path, int flags);
  ~Descriptor();
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  int get() const { return fd_; }
  bool ok() const { return fd_ >= 0; }

 private:
  int fd_;
};

/// A file being written: under a temporary name in the same folder, which commit() renames, so that at any
/// time the path is the old file or the whole new one. Without commit() nothing remains. All methods throw
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
  /// Flushes the file to the disk, renames it, and flushes its folder.
  void commit();

 private:
  std::filesystem::path path_, temporary_;
  Descriptor file_;
  bool committed_ = false;
};

/// Writes `bytes` as a NewFile, and commits it.
void write_file_atomically(const std::filesystem::path& path, std::string_view bytes);

/// Appends `bytes` to a file, which is created if it does not exist: all of them, or none when the disk is
/// full. Throws Error with the system's reason.
void append_to_file(const std::filesystem::path& path, std::string_view bytes);

/// Flushes a file to the disk, as far as that is possible.
void flush_file(const std::filesystem::path& path);

/// Renames within a directory, and flushes the directory's entries to the disk, so that the rename survives a
/// power cut. Throws Error with the system's reason.
void rename_durably(const std::filesystem::path& from, const std::filesystem::path& to);

/// A file, read from its beginning to its end.
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

/// The bytes of a whole file. Throws InputError when it is missing, a directory, or cannot be read.
std::string read_file(const std::filesystem::path& path);

/// A whole regular file as read-only memory, which the system reads where it is accessed.
class MappedFile {
 public:
  /// Throws InputError when it is missing, a directory, not a regular file, empty, or cannot be read.
  explicit MappedFile(const std::filesystem::path& path);
  std::span<const uint8_t> bytes() const { return {memory_.get(), memory_.get_deleter().size}; }

 private:
  struct Unmap {
    size_t size;
    void operator()(void* memory) const;
  };
  std::unique_ptr<uint8_t[], Unmap> memory_;
};

}  // namespace fade
