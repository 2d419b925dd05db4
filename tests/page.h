// A document that states numbers, for the test that computes them.
#pragma once

#include <algorithm>
#include <boost/test/unit_test.hpp>
#include <string>

#include "tests/source_files.h"
#include "tests/support.h"

namespace fade::test {

/// Fails unless the document at `path`, from the root of the repository, has these words: a hyphen stands for
/// the page's minus sign, and a space for any spaces and line breaks.
inline void page_says(const std::string& path, std::string words) {
  std::string page = source_text(path);
  std::replace(page.begin(), page.end(), '\n', ' ');
  page.erase(std::unique(page.begin(), page.end(), [](char a, char b) { return a == ' ' && b == ' '; }),
             page.end());
  for (size_t at; (at = words.find('-')) != std::string::npos;) words.replace(at, 1, "−");
  BOOST_TEST(contains(page, words), path << " lacks: " << words);
}

}  // namespace fade::test
