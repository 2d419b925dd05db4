// Pages for a browser: their data are safe in HTML, and packed data come back.
#include "cli/page/page.h"

#include <zlib.h>

#include <boost/test/unit_test.hpp>

#include "engine/error.h"

namespace fade::test {
namespace {

std::span<const uint8_t> bytes_of(std::string_view text) {
  return {reinterpret_cast<const uint8_t*>(text.data()), text.size()};
}

}  // namespace

BOOST_AUTO_TEST_SUITE(page)

BOOST_AUTO_TEST_CASE(base64_of_the_rfc) {
  const std::pair<const char*, const char*> vectors[] = {{"", ""},
                                                         {"f", "Zg=="},
                                                         {"fo", "Zm8="},
                                                         {"foo", "Zm9v"},
                                                         {"foob", "Zm9vYg=="},
                                                         {"fooba", "Zm9vYmE="},
                                                         {"foobar", "Zm9vYmFy"},
                                                         {"\xff\xfe", "//4="}};
  for (const auto& [plain, coded] : vectors) BOOST_TEST(base64(bytes_of(plain)) == coded);
}

BOOST_AUTO_TEST_CASE(an_embedded_file_that_is_not_there) {
  BOOST_TEST(embedded("page/page.js").find("unpack") != std::string_view::npos);
  BOOST_CHECK_THROW(embedded("page/none.js"), Error);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace fade::test
