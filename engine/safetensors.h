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

  /// The tensor called `name`. Throws InputError when the file has none.
  const Tensor& at(std::string_view name) const;
  bool has(std::string_view name) const;
};

/// Writes the file whole or not at all. Tensors may be on any device; dtypes are written as F32, F64, I32,
/// U8.
void save_safetensors(const std::filesystem::path& path, const TensorFile& file);

/// Reads a file into CPU tensors. Throws InputError, naming the file and what is wrong with it, for anything
/// that is not a well-formed file of F32, F64, I32 and U8 tensors; nothing is allocated that the file's own
/// size doesn't back.
TensorFile load_safetensors(const std::filesystem::path& path);

}  // namespace fade
