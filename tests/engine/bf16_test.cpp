// bf16: rounding, conversion and printing.
#include <boost/test/unit_test.hpp>
#include <cmath>
#include <limits>
#include <sstream>

#include "engine/tensor.h"

namespace fade {

BOOST_AUTO_TEST_SUITE(bf16_type)

// Between two neighbours: the nearer one, and of two equally near ones the one whose last bit is 0.
BOOST_AUTO_TEST_CASE(rounds_to_the_nearest) {
  const std::pair<float, float> cases[] = {{1, 1},
                                           {1 + 0x1p-7f, 1 + 0x1p-7f},
                                           {1 + 0x1p-8f, 1},
                                           {1 + 0x1.8p-7f, 1 + 0x1p-6f},
                                           {1 + 0x1.02p-8f, 1 + 0x1p-7f},
                                           {-1 - 0x1.02p-8f, -1 - 0x1p-7f},
                                           {-0.f, -0.f},
                                           {0x1p-133f, 0x1p-133f},
                                           {0x1p-134f, 0},
                                           {0x1.fep127f, 0x1.fep127f},
                                           {0x1.ffp127f, INFINITY},
                                           {-INFINITY, -INFINITY}};
  for (const auto& [x, expected] : cases) {
    BOOST_TEST(float{bf16(x)} == expected, x);
    BOOST_TEST(std::signbit(float{bf16(x)}) == std::signbit(expected));
  }
  BOOST_TEST(std::isnan(float{bf16(std::numeric_limits<float>::quiet_NaN())}));
}

BOOST_AUTO_TEST_CASE(every_number_is_its_own_nearest) {
  for (uint32_t bits = 0; bits < 0x10000; ++bits) {
    bf16 x;
    x.bits = static_cast<uint16_t>(bits);
    if (!std::isnan(float{x})) BOOST_REQUIRE(bf16(float{x}).bits == bits);
  }
}

BOOST_AUTO_TEST_CASE(tensors_convert_and_print) {
  const Tensor x = Tensor::from(std::vector<double>{1.00390625, -3.140625, 100}, {3}).to(DType::bf16);
  BOOST_TEST(x.size_bytes() == 6u);
  BOOST_TEST((x.to(DType::f64).to_vector<double>() == std::vector<double>{1, -3.140625, 100}));
  BOOST_TEST((x.to(DType::i32).to_vector<int32_t>() == std::vector<int32_t>{1, -3, 100}));
  BOOST_TEST(Tensor::full({}, 0.1, DType::bf16).item() == double{float{bf16(0.1f)}});
  std::ostringstream text;
  text << x;
  BOOST_TEST(text.str() == "[  1.        -3.140625 100.      ] bf16 [3]");
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace fade
