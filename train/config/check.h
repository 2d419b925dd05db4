// Checks that concern several keys at once; train/config/schema.h holds the range of each by itself.
#pragma once

#include <initializer_list>
#include <map>
#include <string>
#include <string_view>

#include "train/config/config.h"

namespace fade {

/// Where the keys of a configuration were set, for error messages.
struct Origins {
  using Places = std::map<std::string, std::string, std::less<>>;
  std::string source;     ///< the file's name
  Places file = {};       ///< keys and sections of the file: path → "FILE:LINE"
  Places overrides = {};  ///< keys set by --set, which wins over the file: path → "--set key.path=value"

  bool has(std::string_view path) const { return overrides.contains(path) || file.contains(path); }

  /// The place of the first of these keys that was overridden, or else of the first that was set;
  /// the file's name when none was.
  const std::string& of(std::initializer_list<std::string_view> paths) const {
    for (const Places* places : {&overrides, &file})
      for (const std::string_view path : paths)
        if (const auto place = places->find(path); place != places->end()) return place->second;
    return source;
  }
};

/// Weights of the linear layers and embeddings, as a double: it cannot overflow.
double weight_count(const ModelConfig& model);

/// Throws InputError when values of `config` contradict each other, naming the key and where it was set.
void check_config(const Config& config, const Origins& origins);

}  // namespace fade
