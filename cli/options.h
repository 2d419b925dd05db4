// Options of the command line: their values are read as those of a configuration's keys are.
#pragma once

#include <CLI/CLI.hpp>
#include <algorithm>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

#include "engine/error.h"
#include "train/config/config.h"
#include "train/config/file.h"
#include "train/config/number.h"
#include "train/config/schema.h"
#include "train/config/suggestion.h"

namespace fade {

/// The value of an enum by the name that configurations give it. Throws InputError, naming the option.
template <class E>
E parse_name(const std::string& option, const std::string& name) {
  const std::vector<std::string_view> names(names_of<E>.begin(), names_of<E>.end());
  const auto it = std::ranges::find(names, name);
  if (it == names.end())
    refuse("{}: found {}, allowed: {}{}", option, name, fmt::join(names, " | "), suggestion(name, names));
  return static_cast<E>(it - names.begin());
}

/// A check of options that name a file: refuses an empty value, such as that of a variable that is not set.
inline CLI::Validator not_empty() {
  return CLI::Validator(
      [](const std::string& text) { return text.empty() ? "found nothing, allowed: a path" : std::string(); },
      "");
}

/// The number that a text is, read as in configurations: CLI11's own conversions would take 010 for eight,
/// cut off what does not fit, and accept infinities. Throws CLI::ValidationError, naming the option.
template <class T>
T number_in(const Range& range, const std::string& option, const std::string& text) {
  const auto number = parse_number<T>(text, range);
  if (!number)
    throw CLI::ValidationError(
        option, fmt::format("found {}, allowed: {}", text.empty() ? "nothing" : text, numbers_in<T>(range)));
  return *number;
}

/// Adds an option whose texts `read` takes for numbers in `range`, which the help names.
template <class T, class Read>
CLI::Option* add_number_option(CLI::App& app, const std::string& name, const Range& range,
                               const std::string& description, const Read& read) {
  const CLI::callback_t read_all = [read](const CLI::results_t& texts) {
    for (const std::string& text : texts) read(text);
    return true;
  };
  return app.add_option(name, read_all, fmt::format("{}; {}", description, numbers_in<T>(range)))
      ->type_name(std::is_integral_v<T> ? "INTEGER" : "NUMBER");
}

/// Adds an option for a number. `value` keeps its default where the option is not given.
template <class T>
CLI::Option* add_number(CLI::App& app, const std::string& name, T& value, const Range& range,
                        const std::string& description) {
  return add_number_option<T>(
             app, name, range, description,
             [&value, name, range](const std::string& text) { value = number_in<T>(range, name, text); })
      ->default_function([&value] { return fmt::format("{}", value); });
}

/// Adds an option for numbers with commas between them (CLI11's own lists pass over a missing one). They are
/// appended to `values`.
template <class T>
CLI::Option* add_numbers(CLI::App& app, const std::string& name, std::vector<T>& values, const Range& range,
                         const std::string& description) {
  return add_number_option<T>(
             app, name, range, description,
             [&values, name, range](const std::string& text) {
               for (size_t begin = 0, comma = 0; comma != std::string::npos; begin = comma + 1) {
                 comma = text.find(',', begin);
                 values.push_back(number_in<T>(range, name, text.substr(begin, comma - begin)));
               }
             })
      ->take_all();
}

/// The numbers that a configuration's key may take, for an option that stands for it.
inline const Range& range_of(std::string_view key) { return find_key(key)->range; }

/// Adds the option --set, which may be repeated.
inline void add_sets(CLI::App& app, std::vector<std::string>& sets, const std::string& description) {
  app.add_option("--set", sets, description)->allow_extra_args(false);
}

/// Throws InputError when `sets` give a key, too, whose place `option`, as it was given, takes.
inline void refuse_set_beside(const std::string& option, std::string_view key,
                              const std::vector<std::string>& sets) {
  if (const std::string* set = find_override(sets, key))
    refuse("{}: takes the place of {} (leave it or --set {} out)", option, key, *set);
}

/// Throws InputError when --minutes is given (above 0), and train.steps beside it by --set.
inline void refuse_steps_beside(double minutes, const std::vector<std::string>& sets) {
  if (minutes > 0) refuse_set_beside(fmt::format("--minutes {}", minutes), "train.steps", sets);
}

/// The override of a configuration for which an option --device stands; none when it was not given.
inline std::vector<std::string> device_override(const std::string& device) {
  if (device.empty()) return {};
  return {fmt::format("device={}", name_of(parse_name<DeviceChoice>("--device", device)))};
}

}  // namespace fade
