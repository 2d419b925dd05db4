#include "cli/page/page.h"

#include <fmt/format.h>
#include <zlib.h>

#include <algorithm>
#include <vector>

#include "engine/error.h"
#include "engine/io/utf8.h"

namespace fade {
namespace {

// JSON inside of a script element, which the first "</script" would end. In JSON, < stands in strings only.
std::string script_data(const nlohmann::ordered_json& data) {
  std::string out;
  for (const char c : data.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace))
    if (c == '<')
      out += "\\u003c";
    else
      out += c;
  return out;
}

// The scripts of a page: the parts, then the one that starts it.
std::string scripts(const std::string& name) {
  std::string out;
  for (const EmbeddedFile& file : kEmbeddedFiles)
    if (file.name.starts_with(name + "_") && file.name.ends_with(".js")) out += file.text;
  return out.append(embedded(name + ".js"));
}

}  // namespace

std::string_view embedded(std::string_view name) {
  const auto file = std::ranges::find(kEmbeddedFiles, name, &EmbeddedFile::name);
  if (file == kEmbeddedFiles.end()) fail("{}: the program holds no such file", name);
  return file->text;
}

std::string make_page(std::string_view name, std::string_view title, const nlohmann::ordered_json& data) {
  const std::string file(name);
  return fmt::format(R"(<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; img-src data:">
<title>{}</title>
<style>
{}{}</style>
</head>
<body>
<noscript>This page needs JavaScript. It loads nothing from a network.</noscript>
{}<script type="application/json" id="data">{}</script>
<script>
"use strict";
{}{}</script>
</body>
</html>
)",
                     escaped(title), embedded("page/page.css"), embedded(file + ".css"),
                     embedded(file + ".html"), script_data(data), embedded("page/page.js"), scripts(file));
}

std::string packed(std::span<const uint8_t> bytes) {
  uLongf size = compressBound(bytes.size());
  std::vector<uint8_t> out(size);
  if (compress2(out.data(), &size, bytes.data(), bytes.size(), Z_BEST_COMPRESSION) != Z_OK)
    fail("compressing {} bytes for a page failed", bytes.size());
  return base64(std::span(out).first(size));
}

std::string escaped(std::string_view text) {
  std::string out;
  for (const char c : printable(text)) out += c == '&' ? "&amp;" : c == '<' ? "&lt;" : std::string(1, c);
  return out;
}

std::string base64(std::span<const uint8_t> bytes) {
  constexpr char kDigits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string out;
  out.reserve((bytes.size() + 2) / 3 * 4);
  for (size_t i = 0; i < bytes.size(); i += 3) {
    const size_t n = std::min<size_t>(3, bytes.size() - i);
    uint32_t bits = 0;
    for (size_t k = 0; k < 3; ++k) bits = bits << 8 | (k < n ? bytes[i + k] : 0);
    for (size_t k = 0; k < 4; ++k) out += k <= n ? kDigits[bits >> (18 - 6 * k) & 63] : '=';
  }
  return out;
}

}  // namespace fade
