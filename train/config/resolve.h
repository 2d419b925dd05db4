// The device and the data type that a configuration's choices mean on this machine.
#pragma once

#include "engine/device.h"
#include "engine/dtype.h"
#include "train/config/config.h"

namespace fade {

/// `auto` is cuda where there is a CUDA device, else cpu. Throws InputError, saying what is missing,
/// for cuda without one.
Device device_for(DeviceChoice choice);

/// The types of a model of this configuration on `device`: mixed for precision bf16 on CUDA, else dtype's.
NumberTypes types_for(const Config& config, Device device);

/// What is multiplied there, for people: "f32", "f64", "tf32", "bf16".
std::string_view precision_name(const Config& config, Device device);

/// Sets what the configuration says about the whole process: the number of threads, and the precision of
/// products of f32 on CUDA.
void set_up_process(const Config& config);

}  // namespace fade
