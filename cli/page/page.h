// Pages for a browser: one HTML file each, which needs no network and nothing beside it.
//
// A page is made of the files of its command's folder in cli/, which CMake puts into the program. page.css and
// page.js here are part of every page: colours for light and dark, print, and reading the data.
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <span>
#include <string>
#include <string_view>

namespace fade {

/// A file of the program.
struct EmbeddedFile {
  std::string_view name;  ///< path below cli/
  const char* text;
};

/// cli/*/*.html, *.css and *.js; defined by CMakeLists.txt.
extern const std::span<const EmbeddedFile> kEmbeddedFiles;

/// The text of an embedded file, such as "report/report.js". Throws Error when there is none.
std::string_view embedded(std::string_view name);

/// The page of a command: `name`.html (the body), `name`.css, and `name`_*.js in alphabetical order before
/// `name`.js, where `name` is a path below cli/ without the ending. `title` may hold any bytes, and so may the
/// strings of `data`, which the script finds in the constant `data`. A content security policy keeps the page
/// from loading anything.
std::string make_page(std::string_view name, std::string_view title, const nlohmann::ordered_json& data);

/// `bytes` for a string of a page's data: compressed (zlib's format), in base64. The function unpack of page.js
/// gives them back.
std::string packed(std::span<const uint8_t> bytes);

/// Text of any bytes for HTML and SVG, between tags: printable, without markup.
std::string escaped(std::string_view text);

/// RFC 4648, with padding.
std::string base64(std::span<const uint8_t> bytes);

}  // namespace fade
