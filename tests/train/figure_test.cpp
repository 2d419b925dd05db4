// Figures of fast and slow machines, of small and large models, keep three significant digits.
#include "train/figure.h"

#include <boost/test/unit_test.hpp>

namespace fade {

BOOST_AUTO_TEST_SUITE(figures)

BOOST_AUTO_TEST_CASE(three_digits_are_kept) {
  BOOST_TEST(figure(1234.56, 1) == "1234.6");
  BOOST_TEST(figure(12.34, 1) == "12.3");
  BOOST_TEST(figure(8, 1) == "8.00");
  BOOST_TEST(figure(0.041234, 1) == "0.0412");
  BOOST_TEST(figure(-0.5, 0) == "-0.500");
  BOOST_TEST(figure(56789, 0) == "56789");
  BOOST_TEST(figure(2.34567, 4) == "2.3457");
  BOOST_TEST(figure(0, 1) == "0.0");
  BOOST_TEST(figure(1e-30, 1) == "0.000000000000");
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace fade
