// Text of unknown origin, such as a file's name, which may be any bytes.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace fade {

/// The number of bytes of the well-formed character at the start of `text`, which is not empty; 0 when there is
/// no such character.
size_t first_character(std::string_view text);

/// The offset of the first byte that is no part of well-formed UTF-8 (the Unicode Standard, table 3-7); npos
/// when there is none.
size_t find_invalid_utf8(std::string_view text);

/// The number of characters of well-formed UTF-8: of its code points.
size_t utf8_length(std::string_view text);

/// `text` as well-formed UTF-8 without control characters: each byte of another kind is written as \xNN.
std::string printable(std::string_view text);

/// The same, cut off after 60 bytes: a name or a value from a file or argument, for an error message
/// of one line.
std::string shown(std::string_view text);

}  // namespace fade
