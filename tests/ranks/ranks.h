// The ranks of the test program.
#pragma once

#include "engine/ranks/ranks.h"

namespace fade::test {

/// This process's.
const Ranks& ranks();

}  // namespace fade::test
