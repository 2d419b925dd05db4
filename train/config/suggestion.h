// Advice for misspelt names of keys, values, options and commands.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace fade {

/// Levenshtein distance: insertions, deletions and replacements of one character that turn a into b.
size_t edit_distance(std::string_view a, std::string_view b);

/// The greatest distance at which a word still counts as a misspelling: 2, or a third of its length.
size_t misspelling_distance(std::string_view word);

/// " (did you mean NAME?)" for the name that `word` is most likely a misspelling of; "" when none is similar.
std::string suggestion(std::string_view word, const std::vector<std::string_view>& names);

}  // namespace fade
