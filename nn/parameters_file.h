// Parameters in safetensors files, which PyTorch can open.
#pragma once

#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "engine/io/safetensors.h"
#include "nn/parameters.h"

namespace fade {

/// Writes all parameters under their names, in their type, from any device; with `metadata`, texts of the
/// program's own. The file appears whole or not at all. Throws Error with the system's reason.
void save_parameters(const std::filesystem::path& path, const Parameters& parameters,
                     const std::map<std::string, std::string>& metadata = {});

/// Overwrites the values of all parameters by those of the file, converted to their type, on their device.
/// Returns the file's metadata. Throws InputError, naming the file and the tensor, and changes nothing, when
/// one is missing, unknown, of another shape or not finite, or the file is damaged.
std::map<std::string, std::string> load_parameters(const std::filesystem::path& path,
                                                   const Parameters& parameters);

/// The parameters' names and values (not copies).
std::vector<NamedTensor> named_values(const Parameters& parameters);

/// The file's tensors in the order of `expected`, converted to its data types; F32 and F64 are. Throws
/// InputError, naming `path` and the tensor, when one is missing, unknown or of another shape.
std::vector<NamedTensor> matching_tensors(const TensorFile& file, const std::filesystem::path& path,
                                          const std::vector<NamedTensor>& expected);

}  // namespace fade
