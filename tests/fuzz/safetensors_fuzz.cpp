// Safetensors files: an accepted file needs no more memory than its size (twice that of numbers of 16 bits)
// and one record per tensor, and it is written and read back the same.
#include <algorithm>

#include "engine/alloc.h"
#include "engine/io/safetensors.h"
#include "tests/fuzz/fuzz.h"
#include "tests/identical.h"

namespace {

bool same(const fade::NamedTensor& a, const fade::NamedTensor& b) {
  return a.name == b.name && fade::test::identical(a.tensor, b.tensor);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace fade;
  const std::string path = fuzz::write("file", fuzz::text_of(data, size));
  fuzz::allow_refusal([&] {
    reset_peak(Device::cpu);
    const int64_t before = memory_stats(Device::cpu).peak;
    const TensorFile file = load_safetensors(path);
    constexpr size_t record = 512;  // pool memory of an empty tensor, at most
    fuzz::require(memory_stats(Device::cpu).peak - before <=
                      static_cast<int64_t>(2 * size + record * file.tensors.size()),
                  "tensors take no more than their values");
    const std::string copy = fuzz::folder() / "copy";
    save_safetensors(copy, file);
    const TensorFile again = load_safetensors(copy);
    fuzz::require(again.metadata == file.metadata && std::ranges::equal(again.tensors, file.tensors, same),
                  "what is written reads back the same");
  });
  return 0;
}
