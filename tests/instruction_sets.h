// The instruction sets for which the CPU's kernels are compiled (engine/simd-inl.h).
#pragma once

#include <hwy/targets.h>

#include <boost/test/unit_test.hpp>

namespace fade::test {

/// Makes dispatch choose among `targets`; 0: all of this machine's.
inline void use_instruction_sets(int64_t targets) {
  hwy::SetSupportedTargetsForTest(targets);
  hwy::GetChosenTarget().Update(hwy::SupportedTargets());
}

/// Calls f() with each instruction set of this machine in use.
template <class F>
void for_each_instruction_set(const F& f) {
  for (const int64_t target : hwy::SupportedAndGeneratedTargets()) {
    use_instruction_sets(target);
    BOOST_TEST_CONTEXT(hwy::TargetName(target)) f();
  }
  use_instruction_sets(0);
}

}  // namespace fade::test
