// .npy files: an accepted file needs no more memory than its size (twice that of numbers of 16 bits, four
// times that of integers of 8), and it is written and read back the same.
#include "engine/io/npy.h"

#include "engine/alloc.h"
#include "tests/fuzz/fuzz.h"
#include "tests/identical.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace fade;
  const std::string path = fuzz::write("file", fuzz::text_of(data, size));
  fuzz::allow_refusal([&] {
    reset_peak(Device::cpu);
    const int64_t before = memory_stats(Device::cpu).peak;
    const Tensor t = load_npy(path);
    constexpr size_t smallest = 512;  // pool memory of an empty tensor, at most
    fuzz::require(memory_stats(Device::cpu).peak - before <= static_cast<int64_t>(4 * size + smallest),
                  "a tensor takes no more than its values");
    const std::string copy = fuzz::folder() / "copy";
    save_npy(copy, t);
    fuzz::require(test::identical(load_npy(copy), t), "what is written reads back the same");
    fuzz::require(!to_string(t).empty(), "it can be printed");
  });
  return 0;
}
