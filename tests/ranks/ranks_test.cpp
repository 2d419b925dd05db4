// Ranks: what they tell each other, in which order sums are added, and errors that only one of them has.
#include "engine/ranks/ranks.h"

#include <array>
#include <boost/test/unit_test.hpp>
#include <cmath>
#include <cstdlib>
#include <new>
#include <stdexcept>

#include "tests/ranks/ranks.h"
#include "tests/support.h"

namespace fade::test {
namespace {

/// An error of the rank of that number only.
template <class E>
void throw_on(int rank, const char* message) {
  if (ranks().rank() == rank) throw E(message);
}

}  // namespace

BOOST_AUTO_TEST_SUITE(ranks_of_a_job)

BOOST_AUTO_TEST_CASE(numbers_are_those_of_the_launcher) {
  BOOST_TEST(ranks().count() == std::atoi(std::getenv("OMPI_COMM_WORLD_SIZE")));
  BOOST_TEST(ranks().rank() == std::atoi(std::getenv("OMPI_COMM_WORLD_RANK")));
  BOOST_TEST(ranks().leads() == (ranks().rank() == 0));
  BOOST_TEST(ranks().local_count() == ranks().count());  // all on this host
  BOOST_TEST(ranks().local_rank() == ranks().rank());
  BOOST_TEST(ranks().name_of(1).starts_with("rank 1 on "));
}

BOOST_AUTO_TEST_CASE(shares_follow_each_other) {
  for (const int64_t total : {0, 1, 4, 10, 1000}) {
    const Share own = ranks().share(total);
    int64_t next = 0;
    for (const std::string& share : ranks().gather(fmt::format("{} {}", own.first, own.count))) {
      std::stringstream numbers(share);
      Share of_rank;
      numbers >> of_rank.first >> of_rank.count;
      BOOST_TEST(of_rank.first == next);
      BOOST_TEST(std::abs(of_rank.count * ranks().count() - total) < ranks().count());
      next += of_rank.count;
    }
    BOOST_TEST(next == total);
  }
}

// The sum of these numbers depends on the order in which they are added.
BOOST_AUTO_TEST_CASE(sums_are_in_the_order_of_ranks) {
  constexpr std::array<double, 4> kOf{1, 1e16, -1e16, 3};
  const double own = kOf[static_cast<size_t>(ranks().rank()) % 4];
  double expected = 0;
  for (int r = 0; r < ranks().count(); ++r) expected += kOf[static_cast<size_t>(r) % 4];
  std::array<double, 3> values{own, static_cast<double>(ranks().rank()), 0.5};
  ranks().sum(values);
  const int n = ranks().count();
  BOOST_TEST(values[0] == expected);
  BOOST_TEST(values[1] == n * (n - 1) / 2);
  BOOST_TEST(values[2] == 0.5 * n);
  BOOST_TEST(ranks().sum(own) == expected);
  BOOST_TEST(std::isnan(ranks().sum(ranks().leads() ? 0 : NAN)));
}

BOOST_AUTO_TEST_CASE(the_largest_of_all) {
  const double rank = ranks().rank();
  std::array<double, 3> values{rank, -rank, rank == 1 ? 5.0 : 4.0};
  ranks().max(values);
  BOOST_TEST(values[0] == ranks().count() - 1);
  BOOST_TEST(values[1] == 0);
  BOOST_TEST(values[2] == 5);
}

BOOST_AUTO_TEST_CASE(any_of_them) {
  BOOST_TEST(ranks().any(true));
  BOOST_TEST(!ranks().any(false));
  for (int r = 0; r < ranks().count(); ++r) BOOST_TEST(ranks().any(ranks().rank() == r));
}

BOOST_AUTO_TEST_CASE(texts_of_all_are_gathered) {
  const auto text_of = [](int rank) {
    return std::string(static_cast<size_t>(rank) * 3, '\0') + (rank % 2 ? "odd" : "");
  };
  const std::vector<std::string> all = ranks().gather(text_of(ranks().rank()));
  BOOST_REQUIRE(std::ssize(all) == ranks().count());
  for (int r = 0; r < ranks().count(); ++r) BOOST_TEST(all[static_cast<size_t>(r)] == text_of(r));
  BOOST_TEST(ranks().gather("")[1].empty());
}

BOOST_AUTO_TEST_CASE(rank_0_broadcasts) {
  const bool leads = ranks().leads();
  BOOST_TEST(ranks().broadcast(leads ? 7.5 : ranks().rank()) == 7.5);
  BOOST_TEST(ranks().broadcast(leads ? std::string("a\0b", 3) : std::string("longer than that")) ==
             std::string("a\0b", 3));
  BOOST_TEST(ranks().broadcast(leads ? std::string() : std::string("not empty")).empty());
}

// Each gives the next one a text, longer than what is sent at once without a receiver.
BOOST_AUTO_TEST_CASE(one_sends_to_another) {
  const int own = ranks().rank(), n = ranks().count();
  const auto bytes_of = [](int rank) {
    return std::vector<std::byte>(size_t{1} << 20, static_cast<std::byte>(rank + 1));
  };
  std::vector<std::byte> received(size_t{1} << 20);
  for (int from = 0; from < n; ++from) {
    if (own == from) ranks().send(bytes_of(from), (from + 1) % n);
    if (own == (from + 1) % n) ranks().receive(received, from);
  }
  BOOST_TEST((received == bytes_of((own + n - 1) % n)));
}

BOOST_AUTO_TEST_CASE(an_error_of_one_is_thrown_on_all) {
  const int last = ranks().count() - 1;
  const std::string of_last = ranks().name_of(last) + ": ";
  BOOST_TEST(refusal([&] { ranks().together([&] { throw_on<InputError>(last, "no corpus"); }); }) ==
             of_last + "no corpus");
  BOOST_TEST(error_of([&] { ranks().together([&] { throw_on<std::runtime_error>(last, "no luck"); }); }) ==
             of_last + "no luck");
  BOOST_CHECK_EXCEPTION(ranks().together([&] { throw_on<Error>(last, "no luck"); }), Error,
                        [](const Error& e) { return !dynamic_cast<const InputError*>(&e); });
  BOOST_TEST(error_of([&] {
               ranks().together([&] {
                 if (ranks().rank() == last) throw std::bad_alloc();
               });
             }).starts_with(of_last + "out of memory"));
}

BOOST_AUTO_TEST_CASE(the_first_rank_s_error_counts) {
  const auto each_its_own = [] {
    if (!ranks().leads()) refuse("rank {} fails", ranks().rank());
  };
  BOOST_TEST(refusal([&] { ranks().together(each_its_own); }) == ranks().name_of(1) + ": rank 1 fails");
}

BOOST_AUTO_TEST_CASE(an_error_of_all_stays_what_it_is) {
  struct Special : InputError {
    using InputError::InputError;
  };
  BOOST_CHECK_EXCEPTION(ranks().together([] { throw Special("no corpus"); }), Special,
                        [](const Special& e) { return e.what() == std::string("no corpus"); });
}

BOOST_AUTO_TEST_CASE(work_without_errors_is_done) {
  int done = 0;
  ranks().together([&] { ++done; });
  BOOST_TEST(done == 1);
}

BOOST_AUTO_TEST_CASE(values_that_must_be_the_same) {
  ranks().require_same("the seed", "7", "use one configuration");
  const int last = ranks().count() - 1;
  BOOST_TEST(refusal([&] {
               ranks().require_same("the seed", ranks().rank() == last ? "8" : "7", "use one configuration");
             }) == fmt::format("the seed: 7 on {}, 8 on {} (use one configuration)", ranks().name_of(0),
                               ranks().name_of(last)));
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace fade::test
