// Reading and writing single values of the schema's types.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cctype>
#include <optional>
#include <type_traits>

#include "engine/io/utf8.h"
#include "train/config/schema.h"

namespace fade {

namespace {

// Tags as they are read: of text in quotes, of !!str, of !!binary.
constexpr const char *kQuoted = "!", *kString = "tag:yaml.org,2002:str",
                     *kBinary = "tag:yaml.org,2002:binary";

/// The text of a scalar that is not a string by its form.
std::optional<std::string> plain_text(const YAML::Node& node) {
  if (!node.IsScalar() || is_string(node)) return std::nullopt;
  return node.Scalar();
}

/// The bytes that a text in base 64 stands for, if it is one.
std::optional<std::string> decoded(const std::string& text) {
  const auto digits = std::ranges::find_if_not(
      text, [](unsigned char c) { return c < 0x80 && (std::isalnum(c) || c == '+' || c == '/'); });
  const auto padding = text.end() - digits;
  if (text.size() % 4 || padding > 2 || std::count(digits, text.end(), '=') != padding) return std::nullopt;
  const auto bytes = YAML::DecodeBase64(text);
  return std::string(bytes.begin(), bytes.end());
}

bool read(const YAML::Node& node, const Range&, bool& value) {
  const auto text = plain_text(node);
  if (text != "true" && text != "false") return false;
  value = text == "true";
  return true;
}

bool read(const YAML::Node& node, const Range&, std::string& value) {
  if (!node.IsScalar()) return false;
  const auto text = node.Tag() == kBinary ? decoded(node.Scalar()) : node.Scalar();
  if (!text || text->find('\0') != std::string::npos) return false;  // a path would end at a NUL
  value = *text;
  return true;
}

template <class T>
requires std::is_arithmetic_v<T>
bool read(const YAML::Node& node, const Range& range, T& value) {
  const auto text = plain_text(node);
  const auto number = text ? parse_number<T>(*text, range) : std::nullopt;
  if (!number) return false;
  value = *number;
  return true;
}

bool read(const YAML::Node& node, const Range& range, std::array<int, 3>& value) {
  if (!node.IsSequence() || node.size() != value.size()) return false;
  std::array<int, 3> parts{};
  for (size_t i = 0; i < parts.size(); ++i)
    if (!read(node[i], range, parts[i])) return false;
  if (parts[0] == 0 || parts[0] + parts[1] + parts[2] != 100) return false;
  value = parts;
  return true;
}

template <class E>
requires std::is_enum_v<E>
bool read(const YAML::Node& node, const Range&, E& value) {
  if (!node.IsScalar()) return false;
  for (size_t i = 0; i < names_of<E>.size(); ++i) {
    if (node.Scalar() != names_of<E>[i]) continue;
    value = static_cast<E>(i);
    return true;
  }
  return false;
}

/// The shortest decimal that reads back exactly, always with a point: YAML 1.1 takes 1e-06 for a string.
std::string write(double value) {
  std::string text = fmt::format("{}", value);
  if (text.find('.') == std::string::npos) text.insert(std::min(text.find('e'), text.size()), ".0");
  return text;
}

/// Bytes that are no text to YAML are written in base 64, with their name in a comment.
std::string write(const std::string& value) {
  if (find_invalid_utf8(value) != std::string::npos)
    return fmt::format("!!binary \"{}\"  # {}",
                       YAML::EncodeBase64(reinterpret_cast<const unsigned char*>(value.data()), value.size()),
                       printable(value));
  std::string text = "\"";
  for (const char c : value) {
    if (c == '"' || c == '\\') text += '\\';
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f)
      text += fmt::format("\\x{:02x}", static_cast<unsigned char>(c));
    else
      text += c;
  }
  return text + '"';
}

std::string write(const std::array<int, 3>& value) { return fmt::format("[{}]", fmt::join(value, ", ")); }

template <class T>
requires std::is_integral_v<T> std::string write(T value) { return fmt::format("{}", value); }

template <class E>
requires std::is_enum_v<E> std::string write(E value) { return std::string(name_of(value)); }

}  // namespace

bool is_string(const YAML::Node& scalar) {
  const std::string& tag = scalar.Tag();
  return tag == kQuoted || tag == kString || tag == kBinary;
}

std::vector<std::string_view> value_names(const Key& key) {
  return std::visit(
      []<class T>(Member<T>) -> std::vector<std::string_view> {
        if constexpr (std::is_enum_v<T>)
          return {names_of<T>.begin(), names_of<T>.end()};
        else if constexpr (std::is_same_v<T, bool>)
          return {"true", "false"};
        else
          return {};
      },
      key.field);
}

std::string allowed_values(const Key& key) {
  return std::visit(
      [&]<class T>(Member<T>) -> std::string {
        if constexpr (std::is_enum_v<T> || std::is_same_v<T, bool>)
          return fmt::format("{}", fmt::join(value_names(key), " | "));
        else if constexpr (std::is_same_v<T, std::string>)
          return "text without NUL bytes";
        else if constexpr (std::is_same_v<T, std::array<int, 3>>)
          return "three integers of at least 0 that sum to 100, the first above 0";
        else
          return numbers_in<T>(key.range);
      },
      key.field);
}

std::string value_text(const Key& key, const Config& config) {
  Config copy = config;  // members are reached through a mutable reference
  return std::visit([&](auto member) { return write(member(copy)); }, key.field);
}

bool store_value(const Key& key, const YAML::Node& node, Config& config) {
  return std::visit([&](auto member) { return read(node, key.range, member(config)); }, key.field);
}

}  // namespace fade
