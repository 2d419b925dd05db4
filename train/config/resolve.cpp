#include "train/config/resolve.h"

#include "engine/error.h"

namespace fade {

Device device_for(DeviceChoice choice) {
  if (choice == DeviceChoice::cpu) return Device::cpu;
  if (choice == DeviceChoice::automatic && !has_backend(Device::cuda)) return Device::cpu;
  backend(Device::cuda);  // throws when it is missing
  return Device::cuda;
}

DType dtype_for(Precision precision) {
  if (precision == Precision::bf16) refuse("dtype: found bf16, which fade does not have yet (use f32)");
  return precision == Precision::f32 ? DType::f32 : DType::f64;
}

}  // namespace fade
