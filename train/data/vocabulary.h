// The check that a text holds no byte that the model has no symbol for.
#pragma once

#include <cstdint>
#include <span>
#include <string>

namespace fade {

/// Throws InputError, naming the text by `name`, when a byte is not below `vocab`: the message gives the
/// first such byte, its offset, and the vocabulary that the text needs. Reads the text once; with a
/// vocabulary of 256, not at all.
void check_vocabulary(std::span<const uint8_t> bytes, int vocab, const std::string& name);

}  // namespace fade
