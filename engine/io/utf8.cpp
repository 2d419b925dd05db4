#include "engine/io/utf8.h"

#include <fmt/format.h>

#include <algorithm>

namespace fade {
namespace {

bool continues(std::string_view text, size_t i, unsigned low = 0x80, unsigned high = 0xbf) {
  return i < text.size() && static_cast<unsigned char>(text[i]) >= low &&
         static_cast<unsigned char>(text[i]) <= high;
}

// U+0000 to U+001F and U+007F to U+009F.
bool is_control(std::string_view one) {
  const auto byte = [&](size_t i) { return static_cast<unsigned char>(one[i]); };
  return one.size() == 1 ? byte(0) < 0x20 || byte(0) == 0x7f : byte(0) == 0xc2 && byte(1) < 0xa0;
}

}  // namespace

size_t first_character(std::string_view text) {
  const unsigned lead = static_cast<unsigned char>(text[0]);
  if (lead < 0x80) return 1;
  if (lead >= 0xc2 && lead <= 0xdf) return continues(text, 1) ? 2 : 0;
  if (lead >= 0xe0 && lead <= 0xef) {  // neither longer than needed nor a surrogate
    const unsigned low = lead == 0xe0 ? 0xa0 : 0x80, high = lead == 0xed ? 0x9f : 0xbf;
    return continues(text, 1, low, high) && continues(text, 2) ? 3 : 0;
  }
  if (lead >= 0xf0 && lead <= 0xf4) {  // up to U+10FFFF
    const unsigned low = lead == 0xf0 ? 0x90 : 0x80, high = lead == 0xf4 ? 0x8f : 0xbf;
    return continues(text, 1, low, high) && continues(text, 2) && continues(text, 3) ? 4 : 0;
  }
  return 0;
}

size_t find_invalid_utf8(std::string_view text) {
  for (size_t i = 0; i < text.size();) {
    const size_t length = first_character(text.substr(i));
    if (length == 0) return i;
    i += length;
  }
  return std::string_view::npos;
}

size_t utf8_length(std::string_view text) {
  return static_cast<size_t>(
      std::ranges::count_if(text, [](char c) { return (static_cast<unsigned char>(c) & 0xc0) != 0x80; }));
}

std::string printable(std::string_view text) {
  std::string out;
  while (!text.empty()) {
    const size_t length = first_character(text);
    const std::string_view one = text.substr(0, std::max<size_t>(length, 1));
    if (length == 0 || is_control(one))
      for (const char c : one) out += fmt::format("\\x{:02x}", static_cast<unsigned char>(c));
    else
      out += one;
    text.remove_prefix(one.size());
  }
  return out;
}

std::string shown(std::string_view text) {
  constexpr size_t kMaxShown = 60;
  std::string out = printable(text);
  if (out.size() <= kMaxShown) return out;
  out.resize(kMaxShown);
  return out.substr(0, find_invalid_utf8(out)) + "..";
}

}  // namespace fade
