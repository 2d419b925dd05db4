// Which GPU a rank takes, on machines with several GPUs that are not there.
#include "engine/ranks/choose_gpu.h"

#include <boost/test/unit_test.hpp>

#include "tests/ranks/ranks.h"
#include "tests/support.h"

namespace fade::test {
namespace {

int visible = 0, first = 0, chosen = -1;

/// GPUs as each rank sees them: `count` from number `first_of_all` of the machine on. The number of the one it takes.
int choose(int count, int first_of_all = 0) {
  visible = count;
  first = first_of_all;
  chosen = -1;
  choose_gpu(ranks(), {.count = [] { return visible; },
                       .select = [](int number) { chosen = number; },
                       .name = [] { return fmt::format("GPU {}", first + chosen); }});
  return chosen;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(choice_of_a_gpu)

BOOST_AUTO_TEST_CASE(each_rank_takes_the_gpu_of_its_number) {
  BOOST_TEST(choose(ranks().count()) == ranks().rank());
  BOOST_TEST(choose(8) == ranks().rank());
}

BOOST_AUTO_TEST_CASE(a_scheduler_may_show_each_rank_one) { BOOST_TEST(choose(1, ranks().rank()) == 0); }

BOOST_AUTO_TEST_CASE(without_gpus_there_is_no_choice) { BOOST_TEST(choose(0) == -1); }

BOOST_AUTO_TEST_CASE(two_ranks_cannot_share_one) {
  BOOST_TEST(refusal([] { choose(1); }) ==
             ranks().name_of(0) + " and " + ranks().name_of(1) +
                 " have the same GPU, GPU 0 (start one rank per GPU, or use --device cpu)");
}

BOOST_AUTO_TEST_CASE(a_rank_that_sees_too_few_is_named) {
  const int n = ranks().count(), last = n - 1;
  const std::string why = refusal([&] { choose(ranks().rank() == last ? 0 : n); });
  BOOST_TEST(
      why ==
      fmt::format(
          "{}: {} ranks on a machine with 0 visible GPUs (start one rank per GPU, or use --device cpu)",
          ranks().name_of(last), n));
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace fade::test
