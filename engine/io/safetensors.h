// Tensors in files: the safetensors format, which is an 8-byte little-endian header length, a JSON header,
// and raw row-major data.
#pragma once

#include <filesystem>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "engine/tensor.h"

namespace fade {

/// What a file holds.
struct TensorFile {
  std::vector<NamedTensor> tensors;             ///< of any type, with different names
  std::map<std::string, std::string> metadata;  ///< any text by name; without the content hash
  std::string content_hash;  ///< of a file that was read: its verified hash; empty if it has none

  /// The tensor called `name`. Throws InputError when the file has none.
  const Tensor& at(std::string_view name) const;
  /// True when the file has it.
  bool has(std::string_view name) const;
};

/// Writes the file whole or not at all, one tensor after the other; dtypes are written as F32, F64, I32,
/// U8, BF16. Tensors may be on any device. Adds the key `xxh3_128` to the metadata: the XXH3-128 hash of the
/// whole file, computed with zeros in the place of its own 32 digits. Returns that hash. Throws Error with
/// the system's reason.
std::string save_safetensors(const std::filesystem::path& path, const TensorFile& file);

/// Reads a file into CPU tensors, in the order of their data in the file. Throws InputError, naming the file
/// and the fault, for anything that is not a well-formed file of F32, F64, F16, BF16, I32 and U8 tensors or
/// does not have the content hash of its metadata. F16 becomes f32. A tensor is allocated only if the
/// file is long enough to hold it.
TensorFile load_safetensors(const std::filesystem::path& path);

}  // namespace fade
