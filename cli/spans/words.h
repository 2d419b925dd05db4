// The words of a text, and how long a model keeps them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace fade {

/// Bytes [begin, end) of a text.
struct Word {
  size_t begin, end;
};

/// The longest stretches of ASCII letters, digits and bytes from 0x80 on.
std::vector<Word> words(std::span<const uint8_t> text);

struct WordSpan {
  std::string text;
  size_t count = 0;  ///< how often it occurs
  double mean = 0;   ///< span, over all bytes of all its occurrences
};

/// The different words that occur `fewest` times or more, the longest kept first. spans [byte].
std::vector<WordSpan> words_by_span(std::span<const uint8_t> text, const std::vector<double>& spans,
                                    size_t fewest);

}  // namespace fade
