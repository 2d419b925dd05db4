#include "cli/spans/words.h"

#include <algorithm>
#include <functional>
#include <map>

namespace fade {
namespace {

bool is_in_word(uint8_t c) {
  return c >= 0x80 || (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
}

}  // namespace

std::vector<Word> words(std::span<const uint8_t> text) {
  std::vector<Word> found;
  for (size_t i = 0; i < text.size(); ++i) {
    if (!is_in_word(text[i])) continue;
    const size_t begin = i;
    while (i < text.size() && is_in_word(text[i])) ++i;
    found.push_back({begin, i});
  }
  return found;
}

std::vector<WordSpan> words_by_span(std::span<const uint8_t> text, const std::vector<double>& spans,
                                    size_t fewest) {
  std::map<std::string, WordSpan> by_text;
  for (const auto& [begin, end] : words(text)) {
    const std::string word(text.begin() + static_cast<std::ptrdiff_t>(begin),
                           text.begin() + static_cast<std::ptrdiff_t>(end));
    WordSpan& sum = by_text[word];
    ++sum.count;
    for (size_t i = begin; i < end; ++i) sum.mean += spans[i] / static_cast<double>(end - begin);
  }
  std::vector<WordSpan> found;
  for (const auto& [word, sum] : by_text)
    if (sum.count >= fewest) found.push_back({word, sum.count, sum.mean / static_cast<double>(sum.count)});
  std::ranges::stable_sort(found, std::greater<>(), &WordSpan::mean);
  return found;
}

}  // namespace fade
