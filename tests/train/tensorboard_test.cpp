// Files of events for TensorBoard; tests/shell/tensorboard_test.sh reads those of a run.
#include "train/tensorboard.h"

#include <boost/test/unit_test.hpp>
#include <fstream>

#include "tests/support.h"
#include "train/log_file.h"

namespace fade {
using namespace test;

BOOST_AUTO_TEST_SUITE(tensorboard)

// The check value of the polynomial, and a vector of RFC 3720, B.4.
BOOST_AUTO_TEST_CASE(checksums) {
  BOOST_TEST(crc32c("123456789") == 0xe3069283u);
  BOOST_TEST(crc32c(std::string(32, '\0')) == 0x8a9136aau);
}

// Several files of one second, and one of a clock that was ahead, are read in the order in which they began.
BOOST_AUTO_TEST_CASE(a_new_file_is_the_last) {
  const TempDir dir;
  std::string before;
  for (int i = 0; i < 3; ++i) {
    const std::filesystem::path file = new_event_file(dir.path());
    BOOST_TEST(file.filename().string() > before);
    before = file.filename().string();
    std::ofstream(file).put('x');
  }
  std::ofstream(dir.path("events.out.tfevents.5000000000.other")).put('x');
  std::ofstream(dir.path("events.out.tfevents.what")).put('x');
  BOOST_TEST(new_event_file(dir.path()).filename().string().starts_with("events.out.tfevents.5000000001."));
}

BOOST_AUTO_TEST_CASE(numbers_of_a_line) {
  const std::string record = scalars_record(
      {{"step", 300}, {"train_bpb", 2.5}, {"mean_span", nullptr}, {"lr", 1}, {"seconds", 3.0}, {"other", 1}});
  const auto holds = [&](std::string_view bytes) { return contains(record, bytes); };
  using namespace std::string_view_literals;
  BOOST_TEST(holds("\x10\xac\x02"sv));  // step 300
  BOOST_TEST(holds("\x0a\x13train/bits_per_byte\x15\x00\x00\x20\x40"sv));
  BOOST_TEST(holds("train/learning_rate\x15\x00\x00\x80\x3f"sv));
  BOOST_TEST(!holds("spans/mean"));
  BOOST_TEST(!holds("other"));
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_AUTO_TEST_SUITE(log_file)

BOOST_AUTO_TEST_CASE(records_wait_for_their_file) {
  const TempDir dir;
  const std::filesystem::path folder = dir.path("run"), path = folder / "log";
  LogFile log(path, "begin ");
  const std::string warning = log.append("one ");
  BOOST_TEST(warning.starts_with("warning: "));
  BOOST_TEST(contains(warning, path.string()));
  BOOST_TEST(log.append("two ").empty());  // a second warning would repeat the first
  std::filesystem::create_directory(folder);
  BOOST_TEST(log.append("three ") == "log is written again, with the lines that waited");
  BOOST_TEST(log.append("four ").empty());
  BOOST_TEST(file_text(path) == "begin one two three four ");
  std::filesystem::remove(path);
  BOOST_TEST(log.append("five ").empty());
  BOOST_TEST(file_text(path) == "begin five ");
}

BOOST_AUTO_TEST_CASE(the_newest_records_wait) {
  const TempDir dir;
  const std::filesystem::path folder = dir.path("run");
  LogFile log(folder / "log");
  for (char c = 'a'; c < 'f'; ++c) log.append(std::string(4 << 20, c));
  std::filesystem::create_directory(folder);
  log.append("end");
  const std::string text = file_text(folder / "log");
  BOOST_TEST(text.size() == (12u << 20) + 3);
  BOOST_TEST(text.front() == 'c');
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace fade
