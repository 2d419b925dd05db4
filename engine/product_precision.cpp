#include "engine/product_precision.h"

#include <atomic>

namespace fade {
namespace {

constinit std::atomic<ProductPrecision> chosen{ProductPrecision::f32};

}  // namespace

void set_product_precision(ProductPrecision precision) { chosen = precision; }
ProductPrecision product_precision() { return chosen; }

}  // namespace fade
