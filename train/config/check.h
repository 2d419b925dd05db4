// Checks that concern several keys at once; train/config/schema.h holds the range of each by itself.
#pragma once

#include <initializer_list>
#include <map>
#include <string>
#include <string_view>

#include "train/config/config.h"

namespace fade {

/// Where the keys of a configuration were set, for error messages.
class Origins {
 public:
  explicit Origins(std::string source) : source_(std::move(source)) {}

  /// Records that `path`, a key or a section, was set at `place`, "FILE:LINE".
  void set(std::string_view path, std::string place) { places_[std::string(path)] = std::move(place); }
  /// The same of "--set key.path=value", which wins over the file.
  void override(std::string_view path, std::string place) {
    overrides_[std::string(path)] = std::move(place);
  }

  bool has(std::string_view path) const { return overrides_.contains(path) || places_.contains(path); }

  /// The place of the first of these keys that was overridden, or else of the first that was set;
  /// the file's name when none was.
  const std::string& of(std::initializer_list<std::string_view> paths) const {
    for (const Places* places : {&overrides_, &places_})
      for (const std::string_view path : paths)
        if (const auto place = places->find(path); place != places->end()) return place->second;
    return source_;
  }

 private:
  using Places = std::map<std::string, std::string, std::less<>>;
  std::string source_;
  Places places_, overrides_;
};

/// Throws InputError when values of `config` contradict each other, naming the key and where it was set.
void check_config(const Config& config, const Origins& origins);

}  // namespace fade
