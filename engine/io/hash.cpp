#include "engine/io/hash.h"

#include <xxhash.h>

#include <new>

#include "engine/error.h"

namespace fade {

ContentHash::ContentHash() : state_(XXH3_createState()) {
  if (!state_) throw std::bad_alloc();
  XXH3_128bits_reset(state_.get());
}

void ContentHash::add(const void* bytes, size_t count) {
  if (count) XXH3_128bits_update(state_.get(), bytes, count);
}

std::string ContentHash::digits() const {
  const XXH128_hash_t hash = XXH3_128bits_digest(state_.get());
  return fmt::format("{:016x}{:016x}", hash.high64, hash.low64);
}

void ContentHash::Free::operator()(XXH3_state_s* state) const { XXH3_freeState(state); }

}  // namespace fade
