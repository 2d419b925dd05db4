// One tensor in a file: NumPy's .npy format, which is a magic word, a version, a header in the syntax of
// Python, and raw row-major data (numpy.lib.format describes it). Several tensors: engine/io/safetensors.h.
#pragma once

#include <filesystem>

#include "engine/tensor.h"

namespace fade {

/// Writes the file whole or not at all, in version 1.0, for numpy.load: f32, f64, i32 and u8 as <f4, <f8,
/// <i4 and |u1, and bf16, which NumPy lacks, as <f4. The tensor may be of any shape, on any device. Throws
/// Error with the system's reason, or when `t` is an empty tensor without memory.
void save_npy(const std::filesystem::path& path, const Tensor& t);

/// Reads a file of version 1.0, 2.0 or 3.0 into a CPU tensor. The types of save_npy are read as they are;
/// bool becomes u8, f2 f32, and every other integer i32, in which each value must fit. Throws InputError,
/// naming the file, the fault and a remedy, for other types (complex, big-endian, structured), for arrays in
/// Fortran's order, and for everything that is no well-formed file of one array. A tensor is allocated only
/// if the file is long enough to hold it.
Tensor load_npy(const std::filesystem::path& path);

}  // namespace fade
