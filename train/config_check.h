// Checks that concern several keys at once; train/config_schema.h holds the range of each by itself.
#pragma once

#include <initializer_list>
#include <map>
#include <string>
#include <string_view>

#include "train/config.h"

namespace fade {

/// Where the keys of a configuration were set, for error messages.
class Origins {
 public:
  explicit Origins(std::string source) : source_(std::move(source)) {}

  /// Records that `path` was set at `place`, "FILE:LINE" or "--set key.path=value".
  void set(std::string_view path, std::string place) { places_[std::string(path)] = std::move(place); }

  bool has(std::string_view path) const { return places_.contains(path); }

  /// The place of the first of these keys that was set at all; the name of the whole file if none was.
  const std::string& of(std::initializer_list<std::string_view> paths) const {
    for (const std::string_view path : paths)
      if (const auto place = places_.find(path); place != places_.end()) return place->second;
    return source_;
  }

 private:
  std::string source_;
  std::map<std::string, std::string, std::less<>> places_;
};

/// Throws InputError if values of `config` don't go together, naming the key at fault and where it was set.
void check_config(const Config& config, const Origins& origins);

}  // namespace fade
