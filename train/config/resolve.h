// The device and the data type that a configuration's choices mean on this machine.
#pragma once

#include "engine/device.h"
#include "engine/dtype.h"
#include "train/config/config.h"

namespace fade {

/// `auto` is cuda where there is a CUDA device, else cpu. Throws InputError, saying what is missing,
/// for cuda without one.
Device device_for(DeviceChoice choice);

/// The type that the choice names.
DType dtype_for(Precision precision);

/// Sets what the configuration says about the whole process: the number of threads, and the precision of
/// products. Throws InputError for bf16, which is not implemented yet.
void set_up_process(const Config& config);

}  // namespace fade
