// The table behind configuration files: every key with its type, range and meaning.
#pragma once

#include <yaml-cpp/yaml.h>

#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "train/config/config.h"
#include "train/config/number.h"

namespace fade {

/// Where a key's value lives in a Config.
template <class T>
using Member = T& (*)(Config&);

using Field =
    std::variant<Member<bool>, Member<int>, Member<int64_t>, Member<uint64_t>, Member<double>,
                 Member<std::string>, Member<std::array<int, 3>>, Member<Kind>, Member<AttentionPath>,
                 Member<CompressKind>, Member<DataKind>, Member<OptimizerKind>, Member<ScheduleKind>,
                 Member<DeviceChoice>, Member<Precision>, Member<ProductChoice>, Member<OnNonfinite>>;

struct Key {
  std::string_view path;  ///< "model.span.ramp"; also the member's path in Config
  Field field;
  std::string_view meaning;
  Range range = {};  ///< of numbers; ignored for the other types
};

/// Every key of a configuration, in the order in which to_yaml writes them;
/// the keys of a section are neighbours.
const std::vector<Key>& config_keys();

/// The key with this path, or null.
const Key* find_key(std::string_view path);

/// True for "model", "model.span", ..: a path that has keys below it.
bool is_section(std::string_view path);

/// The sections a key lies in, outermost first: "model", "model.span".
std::vector<std::string_view> sections_of(std::string_view path);

/// The part after the last dot: "ramp" of "model.span.ramp".
std::string_view last_part(std::string_view path);

/// The known key or section that `path` is most likely a misspelling of, or "" when none is similar.
std::string nearest_key(std::string_view path);

/// The names of the keys and sections in the section of `path`, or of the whole configuration when there is
/// no such section: "kind, lr, beta1, ..".
std::string names_near(std::string_view path);

/// True for a scalar in quotes, or with !!str or !!binary: "256" is then no number, nor "true" a switch.
bool is_string(const YAML::Node& scalar);

/// The names of the key's values: of an enum, "true" and "false" of a switch; none of other types.
std::vector<std::string_view> value_names(const Key& key);

/// The values that the key accepts, in words: "an integer of at least 2 and at most 65536".
std::string allowed_values(const Key& key);

/// The key's value in `config`, written as YAML that reads back to exactly the same value.
std::string value_text(const Key& key, const Config& config);

/// Stores the node's value in `config` and returns true; returns false and leaves `config`
/// unchanged when it is not allowed.
bool store_value(const Key& key, const YAML::Node& node, Config& config);

}  // namespace fade
