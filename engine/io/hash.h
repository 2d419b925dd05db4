// A content hash: it detects damaged files. It protects against accidents, not against forgery.
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>

struct XXH3_state_s;

namespace fade {

/// XXH3, 128 bits, of bytes that are added piece by piece.
class ContentHash {
 public:
  ContentHash();
  void add(const void* bytes, size_t count);
  void add(std::string_view bytes) { add(bytes.data(), bytes.size()); }
  /// The hash of all bytes so far: kDigits hexadecimal digits, in canonical form (as `xxhsum -H2` prints it).
  std::string digits() const;

  static constexpr size_t kDigits = 32;

 private:
  struct Free {
    void operator()(XXH3_state_s* state) const;
  };
  std::unique_ptr<XXH3_state_s, Free> state_;
};

}  // namespace fade
