#include "train/config/resolve.h"

#include "engine/error.h"
#include "engine/parallel.h"
#include "engine/product_precision.h"

namespace fade {

Device device_for(DeviceChoice choice) {
  if (choice == DeviceChoice::cpu) return Device::cpu;
  if (choice == DeviceChoice::automatic && !has_backend(Device::cuda)) return Device::cpu;
  backend(Device::cuda);  // throws when it is missing
  return Device::cuda;
}

DType dtype_for(Precision precision) { return precision == Precision::f32 ? DType::f32 : DType::f64; }

void set_up_process(const Config& config) {
  if (config.precision == ProductChoice::bf16)
    refuse("precision: found bf16, which fade does not have yet (use f32 or tf32)");
  set_threads(config.threads);
  set_product_precision(config.precision == ProductChoice::tf32 ? ProductPrecision::tf32
                                                                : ProductPrecision::f32);
}

}  // namespace fade
