// y = x·r with r = 1/√(mean(x²) + 10⁻⁵) over the last dimension.
#pragma once
#include <fade/engine.h>

/// x [..., H] → y [..., H] and r [..., 1].
inline constinit fade::Kernel<void(const fade::Tensor& x, fade::Out y, fade::Out r)> rms_scale_kernel{
    "rms_scale"};
