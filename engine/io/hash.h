// A content hash: it detects damaged files. It protects against accidents, not against forgery.
#pragma once

#include <fmt/format.h>
#include <xxhash.h>

#include <memory>
#include <new>
#include <string>

namespace fade {

/// XXH3, 128 bits, of bytes that are added piece by piece.
class ContentHash {
 public:
  ContentHash() {
    if (!state_) throw std::bad_alloc();
    XXH3_128bits_reset(state_.get());
  }

  void add(const void* bytes, size_t count) {
    if (count) XXH3_128bits_update(state_.get(), bytes, count);
  }

  /// The hash of all bytes so far: kDigits hexadecimal digits, in canonical form (as `xxhsum -H2` prints it).
  std::string digits() const {
    const XXH128_hash_t hash = XXH3_128bits_digest(state_.get());
    return fmt::format("{:016x}{:016x}", hash.high64, hash.low64);
  }

  static constexpr size_t kDigits = 32;

 private:
  std::unique_ptr<XXH3_state_t, decltype(&XXH3_freeState)> state_{XXH3_createState(), XXH3_freeState};
};

}  // namespace fade
