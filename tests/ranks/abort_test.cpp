// Ends of a job. Each case ends the program, so that none runs unless it is named: ctest does, and reads the message.
#include <boost/test/unit_test.hpp>

#include "engine/error.h"
#include "tests/ranks/ranks.h"

namespace fade::test {

BOOST_AUTO_TEST_SUITE(ends_of_a_job, *boost::unit_test::disabled())

BOOST_AUTO_TEST_CASE(an_error_that_one_rank_knows) {
  ranks().take_part([] {
    if (ranks().rank() == 1) fail("the others wait for this rank");
    return ranks().sum(1);
  });
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace fade::test
