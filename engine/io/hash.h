// A content hash: tells a damaged file from a whole one. It guards against accidents, not against forgers.
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>

struct XXH3_state_s;

namespace fade {

/// XXH3, 128 bits, of bytes that come in pieces.
class ContentHash {
 public:
  ContentHash();
  void add(const void* bytes, size_t count);
  void add(std::string_view bytes) { add(bytes.data(), bytes.size()); }
  /// Of all bytes so far: kDigits hexadecimal digits, the canonical form (as `xxhsum -H2` prints it).
  std::string digits() const;

  static constexpr size_t kDigits = 32;

 private:
  struct Free {
    void operator()(XXH3_state_s* state) const;
  };
  std::unique_ptr<XXH3_state_s, Free> state_;
};

}  // namespace fade
