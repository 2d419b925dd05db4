// The exponentials of the softmax. Included once per instruction set.
#if defined(FADE_SPAN_ATTENTION_CPU_EXP_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef FADE_SPAN_ATTENTION_CPU_EXP_INL_H_
#undef FADE_SPAN_ATTENTION_CPU_EXP_INL_H_
#else
#define FADE_SPAN_ATTENTION_CPU_EXP_INL_H_
#endif

#include <hwy/highway.h>

#include <cstdint>
#include <numbers>

#include "engine/simd-inl.h"

HWY_BEFORE_NAMESPACE();
namespace fade::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

/// e^x for x < 88. In f32 with an error of about 1 ulp near 0 and 0 below −87.7; a NaN stays NaN.
/// x·log2(e) = n + r with a whole n and |r| ≤ 1/2; 2^r is 1 + r·(c1 + … + c6·r^5), the polynomial of this form with
/// the smallest relative error (2e-8 with rounded coefficients), found by Remez' algorithm.
template <class D>
HWY_INLINE hn::Vec<D> softmax_exp(D d, hn::Vec<D> x) {
  if constexpr (sizeof(hn::TFromD<D>) == sizeof(double)) {
    return exp_of(d, x);
  } else {
    // A float of this size has no bits behind the point: adding it rounds to a whole number, and leaves n + 127, the
    // exponent of 2^n, in the lowest bits. It is 0, that of the number 0, for n = −127.
    const auto rounder = hn::Set(d, 0x1.8p23f + 127);
    const auto log2e = hn::Set(d, std::numbers::log2e_v<float>);
    const auto least = hn::Set(d, -88.03f);  // −127·ln(2)
    // In this order a NaN is the maximum of vectors on x86 and Arm; of other instruction sets the number is.
    constexpr bool kMaxKeepsNaN = (HWY_ARCH_X86 || HWY_ARCH_ARM) && HWY_TARGET < HWY_EMU128;
    x = kMaxKeepsNaN ? hn::Max(least, x) : hn::IfThenElse(hn::Lt(x, least), least, x);
    const auto exponent = hn::MulAdd(x, log2e, rounder);
    const auto r = hn::MulSub(x, log2e, hn::Sub(exponent, rounder));
    auto p = hn::MulAdd(r, hn::Set(d, 0x1.470b4ap-13f), hn::Set(d, 0x1.5f7276p-10f));
    p = hn::MulAdd(r, p, hn::Set(d, 0x1.3b270ep-7f));
    p = hn::MulAdd(r, p, hn::Set(d, 0x1.c6ae72p-5f));
    p = hn::MulAdd(r, p, hn::Set(d, 0x1.ebfbe2p-3f));
    p = hn::MulAdd(r, p, hn::Set(d, 0x1.62e432p-1f));
    p = hn::MulAdd(r, p, hn::Set(d, 1.0f));
    const hn::RebindToUnsigned<D> bits;
    return hn::Mul(p, hn::BitCast(d, hn::ShiftLeft<23>(hn::BitCast(bits, exponent))));
  }
}

}  // namespace fade::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif
