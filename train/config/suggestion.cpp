#include "train/config/suggestion.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace fade {

size_t edit_distance(std::string_view a, std::string_view b) {
  std::vector<size_t> row(b.size() + 1);
  for (size_t j = 0; j <= b.size(); ++j) row[j] = j;
  for (size_t i = 1; i <= a.size(); ++i) {
    size_t diagonal = std::exchange(row[0], i);
    for (size_t j = 1; j <= b.size(); ++j) {
      const size_t replaced = diagonal + (a[i - 1] != b[j - 1]);
      diagonal = row[j];
      row[j] = std::min({replaced, row[j] + 1, row[j - 1] + 1});
    }
  }
  return row[b.size()];
}

size_t misspelling_distance(std::string_view word) { return std::max<size_t>(2, word.size() / 3); }

std::string suggestion(std::string_view word, const std::vector<std::string_view>& names) {
  constexpr size_t kLongest = 100;  // of a typo
  if (word.empty() || word.size() > kLongest) return "";
  size_t best = misspelling_distance(word) + 1;
  std::string text;
  for (const std::string_view name : names) {
    // Of a short word something must be right: "no" is no misspelling of "cpu".
    const size_t distance = edit_distance(word, name);
    if (distance >= best || distance >= std::min(word.size(), name.size())) continue;
    best = distance;
    text = fmt::format(" (did you mean {}?)", name);
  }
  return text;
}

}  // namespace fade
