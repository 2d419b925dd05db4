// What is remembered of each word of memory, to find races: the last accesses to it.
#pragma once

#include <array>
#include <bitset>
#include <cstddef>
#include <cstdint>

namespace fade::emulate::races {

/// An access to a word by a thread of a thread block.
struct Access {
  uint32_t block = 0;  ///< the number of the thread block in the process, from 1 on; 0: no access
  uint32_t clock = 0;  ///< of the thread then
  uint64_t code : 48 = 0, thread : 10 = 0;
  uint64_t bytes : 4 = 0;  ///< those of the word, one bit each
  uint64_t write : 1 = 0, atomic : 1 = 0;
};

constexpr size_t kWord = 4;  ///< bytes
using Word = std::array<Access, 4>;

/// The words of all memory. What is not touched takes no memory.
class Words {
 public:
  Word& at(uintptr_t address) { return page(address).words[address % kPage / kWord]; }

  /// True iff the address is in the device's memory.
  bool of_device(uintptr_t address) const {
    const Page* page = pages_[address / kPage];
    return page && page->of_device[address % kPage / kSystemPage];
  }
  void set_of_device(uintptr_t first, size_t bytes, bool value) {
    for (uintptr_t p = first; p < first + bytes; p += kSystemPage)
      page(p).of_device[p % kPage / kSystemPage] = value;
  }

 private:
  static constexpr size_t kMemory = size_t{1} << 47;  ///< addresses of programs are below
  static constexpr size_t kPage = size_t{1} << 22, kSystemPage = 4096;
  struct Page {
    std::array<Word, kPage / kWord> words;
    std::bitset<kPage / kSystemPage> of_device;
  };

  /// Memory of zeros. Throws when there is no address space.
  static void* zeros(size_t bytes);

  Page& page(uintptr_t address) {
    Page*& p = pages_[address / kPage];
    if (!p) p = static_cast<Page*>(zeros(sizeof(Page)));
    return *p;
  }

  Page** pages_ = static_cast<Page**>(zeros(kMemory / kPage * sizeof(Page*)));
};

}  // namespace fade::emulate::races
