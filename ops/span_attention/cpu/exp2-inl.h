// The exponentials of the softmax. Included once per instruction set.
#if defined(FADE_SPAN_ATTENTION_CPU_EXP2_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef FADE_SPAN_ATTENTION_CPU_EXP2_INL_H_
#undef FADE_SPAN_ATTENTION_CPU_EXP2_INL_H_
#else
#define FADE_SPAN_ATTENTION_CPU_EXP2_INL_H_
#endif

#include <hwy/contrib/math/math-inl.h>
#include <hwy/highway.h>

#include <cstdint>
#include <numbers>

HWY_BEFORE_NAMESPACE();
namespace fade::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

/// 2^x for x < 127. In f32 with an error of about 1 ulp and 0 below −126.5; a NaN stays NaN on x86 and Arm.
/// x = n + r with a whole n and |r| ≤ 1/2; 2^r is 1 + r·(c1 + … + c6·r^5), the polynomial of this form with the
/// smallest relative error (2e-8 with rounded coefficients), found by Remez' algorithm.
template <class D>
HWY_INLINE hn::Vec<D> exp2_of(D d, hn::Vec<D> x) {
  if constexpr (sizeof(hn::TFromD<D>) == sizeof(double)) {
    return hn::Exp(d, hn::Mul(x, hn::Set(d, std::numbers::ln2)));
  } else {
    // A float of this size has no bits behind the point: adding it rounds to a whole number, and leaves n + 127, the
    // exponent of 2^n, in the lowest bits. It is 0, that of the number 0, for n = −127.
    const auto rounder = hn::Set(d, 0x1.8p23f + 127);
    x = hn::Max(hn::Set(d, -127.0f), x);  // (in this order a NaN is the maximum on x86)
    const auto exponent = hn::Add(x, rounder);
    const auto r = hn::Sub(x, hn::Sub(exponent, rounder));
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
