// Tensors in files: the safetensors format (an 8-byte little-endian header length, a JSON header, raw
// row-major data).
#pragma once

#include <filesystem>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "engine/tensor.h"

namespace fade {

struct NamedTensor {
  std::string name;
  Tensor tensor;
};

struct TensorFile {
  std::vector<NamedTensor> tensors;
  std::map<std::string, std::string> metadata;
  std::string content_hash;  ///< of a file that was read: its hash, checked; empty when it has none

  /// The tensor called `name`. Throws InputError when the file has none.
  const Tensor& at(std::string_view name) const;
  bool has(std::string_view name) const;
};

/// Writes the file whole or not at all, one tensor after the other; dtypes are written as F32, F64, I32, U8.
/// Tensors may be on any device. The metadata gets one key more: `xxh3_128`, the XXH3-128 hash of the whole
/// file with zeros in the place of its own 32 digits. Returns that hash. Throws Error with the system's
/// reason.
std::string save_safetensors(const std::filesystem::path& path, const TensorFile& file);

/// Reads a file into CPU tensors, in the order in which it holds them. Throws InputError, naming the file and
/// what is wrong with it, for anything that is not a well-formed file of F32, F64, I32 and U8 tensors, or
/// does not have the content hash that its metadata gives; nothing is allocated that the file's own size
/// doesn't back.
TensorFile load_safetensors(const std::filesystem::path& path);

}  // namespace fade
