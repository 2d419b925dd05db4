// Loops over a row of numbers with the widest vectors of the machine, through the library Highway.
//
// A file that uses this is compiled once per instruction set, and dispatch chooses one at run time. Its
// frame, here of ops/softmax/softmax_cpu.cpp:
//
//   #undef HWY_TARGET_INCLUDE
//   #define HWY_TARGET_INCLUDE "ops/softmax/softmax_cpu.cpp"  // the file itself
//   #include "hwy/foreach_target.h"                           // compiles it again for each instruction set
//
//   #include "engine/simd-inl.h"
//
//   HWY_BEFORE_NAMESPACE();                                   // from here: once per instruction set
//   namespace fade::HWY_NAMESPACE {
//   namespace {
//   void forward(const Tensor& x, Out y) { ... }              // each lambda inside is marked HWY_ATTR
//   }  // namespace
//   }  // namespace fade::HWY_NAMESPACE
//   HWY_AFTER_NAMESPACE();
//
//   #if HWY_ONCE                                              // from here: once
//   namespace fade {
//   FADE_SIMD_KERNEL(softmax_forward, forward);               // the CPU's softmax_forward is forward
//   }  // namespace fade
//   #endif
//
// The last n mod lanes elements of a row are processed one by one, as vectors of a single lane, so that the
// body of a loop is written once.
#include "hwy/contrib/math/math-inl.h"
#include "hwy/highway.h"

#if defined(FADE_ENGINE_SIMD_INL_H_) == defined(HWY_TARGET_TOGGLE)  // once per instruction set
#ifdef FADE_ENGINE_SIMD_INL_H_
#undef FADE_ENGINE_SIMD_INL_H_
#else
#define FADE_ENGINE_SIMD_INL_H_
#endif

#include <cstdint>
#include <cstring>
#include <limits>

#include "engine/kernel.h"
#include "engine/parallel.h"

#ifndef FADE_SIMD_KERNEL
/// Registers `function` of the best instruction set of this machine as the CPU's implementation of `kernel`.
#define FADE_SIMD_KERNEL(kernel, function)                   \
  HWY_EXPORT(function);                                      \
  [[maybe_unused]] static const bool function##_registered = \
      (kernel).implement(Device::cpu, [](auto... args) { return HWY_DYNAMIC_DISPATCH(function)(args...); })
#endif

HWY_BEFORE_NAMESPACE();
namespace fade::HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;

/// Whether there are 32 vector registers and not 16: on x86 those of AVX-512, AVX3 and targets of lower numbers.
inline constexpr bool kManyRegisters = !HWY_ARCH_X86 || HWY_TARGET <= HWY_AVX3;

/// Calls f(d, i) for each vector [i, i + Lanes(d)) of a row of n numbers of type T.
template <class T, class F>
HWY_INLINE void for_each_vector(int64_t n, const F& f) {
  const hn::ScalableTag<T> d;
  const hn::CappedTag<T, 1> single;
  const int64_t lanes = hn::Lanes(d);
  int64_t i = 0;
  for (; i + lanes <= n; i += lanes) f(d, i);
  for (; i < n; ++i) f(single, i);
}

/// Σ f(d, i) over the row; f returns a vector. One partial sum per lane, so the error grows with n/lanes.
template <class T, class F>
HWY_INLINE T sum_over(int64_t n, const F& f) {
  const hn::ScalableTag<T> d;
  const hn::CappedTag<T, 1> single;
  const int64_t lanes = hn::Lanes(d);
  auto partial = hn::Zero(d);
  int64_t i = 0;
  for (; i + lanes <= n; i += lanes) partial = hn::Add(partial, f(d, i));
  T total = hn::GetLane(hn::SumOfLanes(d, partial));
  for (; i < n; ++i) total += hn::GetLane(f(single, i));
  return total;
}

/// Largest value of f(d, i) over the row, −infinity when n = 0. Undefined when one is NaN.
template <class T, class F>
HWY_INLINE T max_over(int64_t n, const F& f) {
  const hn::ScalableTag<T> d;
  const hn::CappedTag<T, 1> single;
  const int64_t lanes = hn::Lanes(d);
  auto partial = hn::Set(d, -std::numeric_limits<T>::infinity());
  int64_t i = 0;
  for (; i + lanes <= n; i += lanes) partial = hn::Max(partial, f(d, i));
  T largest = hn::GetLane(hn::MaxOfLanes(d, partial));
  for (; i < n; ++i) largest = hn::GetLane(hn::Max(hn::Set(single, largest), f(single, i)));
  return largest;
}

/// to [columns, rows] = transpose of from [rows, columns]. Rows of an array are its `stride` apart.
template <class T>
HWY_NOINLINE void transpose(const T* from, int64_t from_stride, int64_t rows, int64_t columns, T* to,
                            int64_t to_stride) {
  const hn::ScalableTag<T> d;
  const int64_t lanes = hn::Lanes(d);
  HWY_ALIGN T four[4 * hn::MaxLanes(d)];  // four rows, transposed
  const int64_t whole_rows = rows / 4 * 4, whole_columns = columns / lanes * lanes;
  for (int64_t r = 0; r < whole_rows; r += 4)
    for (int64_t c = 0; c < whole_columns; c += lanes) {
      const auto row = [&](int64_t k) HWY_ATTR { return hn::LoadU(d, from + (r + k) * from_stride + c); };
      hn::StoreInterleaved4(row(0), row(1), row(2), row(3), d, four);
      for (int64_t l = 0; l < lanes; ++l)
        std::memcpy(to + (c + l) * to_stride + r, four + 4 * l, 4 * sizeof(T));
    }
  for (int64_t r = 0; r < rows; ++r)
    for (int64_t c = r < whole_rows ? whole_columns : 0; c < columns; ++c)
      to[c * to_stride + r] = from[r * from_stride + c];
}

/// e^v, with an error of about one ulp. A NaN stays NaN (Highway's Exp returns 0).
template <class D, class V>
HWY_INLINE V exp_of(D d, V v) {
  return hn::IfThenElse(hn::IsNaN(v), v, hn::Exp(d, v));
}

}  // namespace fade::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif  // FADE_ENGINE_SIMD_INL_H_
