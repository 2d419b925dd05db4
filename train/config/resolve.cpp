#include "train/config/resolve.h"

#include "engine/parallel.h"
#include "engine/product_precision.h"

namespace fade {

Device device_for(DeviceChoice choice) {
  if (choice == DeviceChoice::cpu) return Device::cpu;
  if (choice == DeviceChoice::automatic && !has_backend(Device::cuda)) return Device::cpu;
  backend(Device::cuda);  // throws when it is missing
  return Device::cuda;
}

NumberTypes types_for(const Config& config, Device device) {
  const DType type = config.dtype == Precision::f32 ? DType::f32 : DType::f64;
  const bool mixed = device == Device::cuda && config.precision == ProductChoice::bf16;
  return {type, mixed ? DType::bf16 : type};
}

std::string_view precision_name(const Config& config, Device device) {
  const bool chosen = device == Device::cuda && config.dtype == Precision::f32;
  return chosen ? name_of(config.precision) : name_of(config.dtype);
}

void set_up_process(const Config& config) {
  set_threads(config.threads);
  set_product_precision(config.precision == ProductChoice::f32 ? ProductPrecision::f32
                                                               : ProductPrecision::tf32);
}

}  // namespace fade
