// The corpus: splits, identity, pipes, errors.
#include <sys/stat.h>

#include <boost/test/unit_test.hpp>
#include <thread>

#include "tests/support.h"
#include "train/data/corpus.h"
#include "train/data/recall.h"

using namespace fade;
using test::contains;
using test::refusal;

namespace {

DataConfig file_config(const std::string& path) {
  DataConfig config;
  config.path = path;
  return config;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(corpus)

BOOST_AUTO_TEST_CASE(splits_cover_the_file_in_order) {
  const test::TempDir dir;
  std::string text;
  for (int i = 0; i < 1237; ++i) text += static_cast<char>(i * 7);
  DataConfig config = file_config(dir.write("text", text));
  config.split = {81, 12, 7};
  const Corpus corpus(config);
  BOOST_TEST(corpus.name() == config.path);
  BOOST_TEST(corpus.bytes(Split::train).size() == 1001u);          // floor(1237 * 0.81)
  BOOST_TEST(corpus.bytes(Split::valid).size() == 1150u - 1001u);  // floor(1237 * 0.93)
  std::string joined;
  for (const Split split : {Split::train, Split::valid, Split::test})
    for (const uint8_t byte : corpus.bytes(split).all()) joined += static_cast<char>(byte);
  BOOST_TEST((joined == text));
  BOOST_TEST(corpus.bytes(Split::all).size() == text.size());
}

BOOST_AUTO_TEST_CASE(an_empty_split_is_empty) {
  const test::TempDir dir;
  DataConfig config = file_config(dir.write("text", "twelve bytes"));
  config.split = {100, 0, 0};
  const Corpus corpus(config);
  BOOST_TEST(corpus.bytes(Split::train).size() == 12u);
  BOOST_TEST(corpus.bytes(Split::valid).empty());
  BOOST_TEST(corpus.bytes(Split::test).empty());
}

BOOST_AUTO_TEST_CASE(a_corpus_can_be_moved) {
  const test::TempDir dir;
  Corpus first(file_config(dir.write("text", "some bytes")));
  const Corpus second = std::move(first);
  BOOST_TEST(second.bytes(Split::all).all()[5] == 'b');
}

// Small corpora by all their bytes, large ones by the first, the last, and pieces at equal distances.
BOOST_AUTO_TEST_CASE(a_corpus_is_known_by_size_and_content) {
  const test::TempDir dir;
  const auto identity = [&](const std::string& text) {
    return Corpus(file_config(dir.write("text", text))).identity();
  };
  const std::string small = "some bytes", large(65 << 20, 'x');
  BOOST_TEST((identity(small) == identity(small)));
  BOOST_TEST(identity(small).bytes == 10);
  BOOST_TEST(identity(small + "x").bytes == 11);
  const auto of_large = identity(large);
  BOOST_TEST(of_large.bytes == 65 << 20);
  for (const std::string& text : {small, large})
    for (const size_t at : {size_t{0}, text.size() / 3, text.size() - 1}) {
      std::string other = text;
      other[at] = 'y';
      const auto found = identity(other);
      BOOST_TEST(found.hash != (text.size() > 10 ? of_large : identity(small)).hash, at);
      BOOST_TEST(static_cast<size_t>(found.bytes) == text.size());
    }
}

BOOST_AUTO_TEST_CASE(recall_is_a_corpus_too) {
  DataConfig config;
  config.kind = DataKind::recall;
  config.recall.bytes = 5000;
  const Corpus corpus(config);
  const auto bytes = corpus.bytes(Split::all).all(), train = corpus.bytes(Split::train).all();
  const auto made = make_recall(config.recall);
  BOOST_TEST(std::equal(bytes.begin(), bytes.end(), made.begin(), made.end()));
  BOOST_TEST(train.size() == 4500u);
}

BOOST_AUTO_TEST_CASE(files_that_cannot_be_a_corpus_are_refused) {
  const test::TempDir dir;
  const auto open = [](const std::string& path) { return refusal([&] { Corpus{file_config(path)}; }); };
  BOOST_TEST(open("").starts_with("data.path: not set"));
  BOOST_TEST(open(dir.path("none")).starts_with(dir.path("none") + ": no such file"));
  BOOST_TEST(open(dir.path()) == dir.path() + ": a directory, where a file was expected (name a file)");
  BOOST_TEST(open(dir.write("empty", "")) == dir.path("empty") + ": empty (name a file with text in it)");
}

BOOST_AUTO_TEST_CASE(a_pipe_is_a_corpus_of_what_comes_through_it) {
  const test::TempDir dir;
  const std::string pipe = dir.path("pipe");
  BOOST_REQUIRE(::mkfifo(pipe.c_str(), 0600) == 0);
  std::thread writer([&] { std::ofstream(pipe) << "some bytes"; });
  const Corpus corpus(file_config(pipe));
  writer.join();
  BOOST_TEST(corpus.bytes(Split::all).size() == 10u);
  BOOST_TEST(corpus.bytes(Split::train).all()[5] == 'b');
}

BOOST_AUTO_TEST_CASE(bytes_outside_the_vocabulary_are_refused) {
  const test::TempDir dir;
  DataConfig config = file_config(dir.write("text", "plain, then \x80 and \xff"));
  config.vocab = 128;
  BOOST_TEST(
      refusal([&] { Corpus{config}; }) ==
      dir.path("text") +
          ": byte 128 at offset 12 is outside the vocabulary: data.vocab is 128, these bytes need 256");
  config.vocab = 256;
  BOOST_CHECK_NO_THROW(Corpus{config});
  config.path = dir.write("ascii", std::string("\0\x7f", 2));
  config.vocab = 128;
  BOOST_CHECK_NO_THROW(Corpus{config});
}

BOOST_AUTO_TEST_SUITE_END()
