#include "engine/cuda/emulate/static_shared.h"

#include <link.h>

namespace fade::emulate {
namespace {

#ifdef __SANITIZE_ADDRESS__
constexpr auto kSegment = PT_LOAD;
#else
constexpr auto kSegment = PT_TLS;
#endif

}  // namespace

std::vector<Range> static_shared_memory() {
  std::vector<Range> found;
  const auto add = [](dl_phdr_info* module, size_t, void* to) {
    for (int i = 0; i < module->dlpi_phnum; ++i) {
      const auto& segment = module->dlpi_phdr[i];
      if (segment.p_type != kSegment || (kSegment == PT_LOAD && !(segment.p_flags & PF_W))) continue;
      const uintptr_t start = kSegment == PT_TLS ? reinterpret_cast<uintptr_t>(module->dlpi_tls_data)
                                                 : module->dlpi_addr + segment.p_vaddr;
      if (start) static_cast<std::vector<Range>*>(to)->push_back({start, segment.p_memsz});
    }
    return 0;
  };
  ::dl_iterate_phdr(add, &found);
  return found;
}

}  // namespace fade::emulate
