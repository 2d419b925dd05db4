// Reading and writing: regular files, pipes, devices, symbolic links; and why a path cannot be used.
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <boost/test/unit_test.hpp>
#include <csignal>
#include <thread>

#include "engine/io/input.h"
#include "engine/io/output.h"
#include "engine/parallel.h"
#include "tests/engine/system_calls.h"
#include "tests/support.h"

namespace fade::test {
namespace {

namespace fs = std::filesystem;

const std::string kText = "0123456789";

/// A FIFO, and a thread that writes `text` into it as soon as it is opened for reading.
struct Pipe {
  Pipe(const TempDir& dir, const std::string& text) : path(dir.path("pipe")) {
    BOOST_REQUIRE(::mkfifo(path.c_str(), 0600) == 0);
    writer = std::thread([this, text] { std::ofstream(path, std::ios::binary) << text; });
  }
  Pipe(const Pipe&) = delete;
  Pipe& operator=(const Pipe&) = delete;
  ~Pipe() { writer.join(); }
  std::string path;
  std::thread writer;
};

/// While in scope, a standard stream is another file.
struct Redirected {
  Redirected(int standard, Descriptor other)
      : stream(standard), before(::dup(standard)), file(std::move(other)) {
    ::dup2(file.get(), stream);
  }
  Redirected(const Redirected&) = delete;
  Redirected& operator=(const Redirected&) = delete;
  ~Redirected() { ::dup2(before.get(), stream); }
  int stream;
  Descriptor before, file;
};

std::string why_not(const std::string& path) {
  return refusal([&] { Input{path}; });
}

std::vector<std::string> names_in(const TempDir& dir) {
  std::vector<std::string> names;
  for (const auto& entry : fs::directory_iterator(dir.path()))
    names.push_back(entry.path().filename().string());
  std::ranges::sort(names);
  return names;
}

std::string why_no_output(const std::string& path, const std::vector<fs::path>& inputs = {}) {
  return refusal([&] { check_output(path, inputs); });
}

}  // namespace

BOOST_AUTO_TEST_SUITE(io)

BOOST_AUTO_TEST_CASE(files_and_pipes_are_read_alike) {
  const TempDir dir;
  const auto check = [](const std::string& path, const std::string& name) {
    Input in(path);
    BOOST_TEST(in.name() == name);
    BOOST_TEST(in.size() == kText.size());
    std::string all(20, '.');
    BOOST_TEST(in.read(all.data(), 4) == 4u);
    BOOST_TEST(in.read(all.data() + 4, 16) == 6u);
    BOOST_TEST(all == kText + "..........");
    BOOST_TEST(in.read(all.data(), 1) == 0u);
    std::string part(3, '.');
    in.read_at(7, part.data(), 3);
    BOOST_TEST(part == "789");
    in.read_at(10, part.data(), 0);
    BOOST_CHECK_THROW(in.read_at(8, part.data(), 3), Error);
    BOOST_CHECK_THROW(in.read_at(11, part.data(), 0), Error);
  };
  const std::string file = dir.write("file", kText);
  check(file, file);
  {
    const Pipe pipe(dir, kText);
    check(pipe.path, pipe.path);
  }
  const Redirected in(STDIN_FILENO, Descriptor(file, O_RDONLY));
  check("-", "standard input");
  BOOST_TEST(read_file("/dev/null") == "");
  BOOST_TEST(!read_file("/proc/self/stat").empty());  // a regular file whose size is said to be 0
}

BOOST_AUTO_TEST_CASE(a_long_pipe_is_read_to_its_end) {
  const TempDir dir;
  std::string text(1'000'003, ' ');
  for (size_t i = 0; i < text.size(); ++i) text[i] = static_cast<char>(i * i % 251);
  const Pipe pipe(dir, text);
  BOOST_TEST((read_file(pipe.path) == text));
}

// A descriptor of another program may not block.
BOOST_AUTO_TEST_CASE(a_pipe_that_does_not_block_is_waited_for) {
  const std::string text(1'000'000, 'x');
  std::array<int, 2> ends{};
  BOOST_REQUIRE(::pipe2(ends.data(), O_NONBLOCK) == 0);
  const Redirected in(STDIN_FILENO, Descriptor(ends[0]));
  std::thread writer([to = Descriptor(ends[1]), &text] { write_all(to.get(), text); });
  const std::string got = read_file("-");
  writer.join();
  BOOST_TEST((got == text));
}

BOOST_AUTO_TEST_CASE(an_endless_device_is_refused) {
  BOOST_TEST(
      refusal([] { Input("/dev/zero", {.most_in_memory = 100'000}); }) ==
      "/dev/zero: more than the 100000 bytes that are read from anything but a regular file (copy it to one)");
}

BOOST_AUTO_TEST_CASE(threads_read_at_the_same_time) {
  const TempDir dir;
  const Input in(dir.write("file", kText));
  std::array<std::string, 4> found;
  {
    std::vector<std::thread> threads;
    for (size_t t = 0; t < found.size(); ++t)
      threads.emplace_back([&, t] {
        for (int i = 0; i < 500; ++i) {
          std::string piece(2, '.');
          in.read_at(2 * t, piece.data(), 2);
          if (found[t].empty()) found[t] = piece;
          if (found[t] != piece) found[t] = "another";
        }
      });
    for (std::thread& t : threads) t.join();
  }
  BOOST_TEST((found == std::array<std::string, 4>{"01", "23", "45", "67"}));
}

BOOST_AUTO_TEST_CASE(a_file_that_is_cut_short_is_noticed) {
  const TempDir dir;
  const std::string path = dir.write("file", kText);
  Input in(path);
  fs::resize_file(path, 6);
  std::string bytes(10, '.');
  in.read_at(0, bytes.data(), 6);  // what is still there
  const std::string expected =
      path + ": cut short while it was read: it had 10 bytes, it has 6 now (put the whole file back)";
  BOOST_TEST(refusal([&] { in.read_at(5, bytes.data(), 2); }) == expected);
  BOOST_TEST(refusal([&] { in.read(bytes.data(), 10); }) == expected);
}

BOOST_AUTO_TEST_CASE(an_error_says_why_a_path_cannot_be_used) {
  const TempDir dir;
  const std::string file = dir.write("file", kText), loop = dir.path("loop"), dangling = dir.path("dangling");
  fs::create_symlink("loop", loop);
  fs::create_symlink("away", dangling);
  BOOST_TEST(why_not(dir.path("none")) == dir.path("none") + ": no such file (check its name)");
  BOOST_TEST(why_not(file + "/x") ==
             file + "/x: no such file: a part of its path is not a directory (check its name)");
  BOOST_TEST(why_not(dir.path()) == dir.path() + ": a directory, where a file was expected (name a file)");
  BOOST_TEST(why_not(loop) ==
             loop + ": too many levels of symbolic links (a link leads back to itself: remove it)");
  BOOST_TEST(why_not(dangling) ==
             dangling + ": a symbolic link to away, which does not exist (remove or mend the link)");
  BOOST_TEST(
      contains(refusal([] { refuse_path("x", EACCES); }), "x: permission denied (change the permissions"));
  for (const int reason : {ENOSPC, EDQUOT, EIO, EMFILE, ENFILE, ENOMEM})  // none of the path
    BOOST_CHECK_EXCEPTION(refuse_path("x", reason), Error,
                          [](const Error& e) { return dynamic_cast<const InputError*>(&e) == nullptr; });
  BOOST_TEST(path_exists(file));
  BOOST_TEST(!path_exists(dir.path("none")));
  BOOST_TEST(!path_exists(file + "/x"));
  BOOST_TEST(contains(refusal([&] { path_exists(loop); }), "too many levels of symbolic links"));
  BOOST_TEST(contains(refusal([&] { path_exists(dangling); }), "a symbolic link to away"));
}

BOOST_AUTO_TEST_CASE(a_file_is_the_old_one_or_the_whole_new_one) {
  const TempDir dir;
  const std::string path = dir.write("file", "old");
  {
    Output out(path);
    out.append("ne");
    BOOST_TEST(file_text(path) == "old");
  }
  BOOST_TEST(names_in(dir) == std::vector<std::string>{"file"}, boost::test_tools::per_element());
  Output out(path);
  out.append("ne");
  out.append("w");
  out.commit();
  BOOST_TEST(file_text(path) == "new");
  BOOST_TEST(names_in(dir) == std::vector<std::string>{"file"}, boost::test_tools::per_element());
}

// Whichever thread the system would give it to.
BOOST_AUTO_TEST_CASE(a_signal_that_ends_the_process_waits_for_a_file) {
  static volatile std::sig_atomic_t came;
  came = 0;
  parallel_for(2, 1, [](int64_t, int64_t) {});  // the workers are there
  const TempDir dir;
  struct sigaction action {
  }, before{};
  action.sa_handler = [](int) { came = 1; };
  ::sigaction(SIGTERM, &action, &before);
  {
    Output out(dir.path("file"));
    ::kill(::getpid(), SIGTERM);
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
    BOOST_TEST(came == 0);
    out.commit();
    BOOST_TEST(came == 1);
    came = 0;
    const Output part(dir.path("part"));
    ::kill(::getpid(), SIGTERM);
    BOOST_TEST(came == 0);
  }
  BOOST_TEST(came == 1);
  BOOST_TEST(names_in(dir) == std::vector<std::string>{"file"}, boost::test_tools::per_element());
  ::sigaction(SIGTERM, &before, nullptr);
}

// The n-th system call finds the disk full, for every n.
BOOST_AUTO_TEST_CASE(a_write_that_fails_leaves_the_old_file_and_nothing_else) {
  const TempDir dir;
  const std::string path = dir.write("file", "old");
  int failures = 0;
  for (bool done = false; !done; ++failures) {
    int calls = 0;
    const std::string said = error_of([&] {
      const Intercepting on([&](const SystemCall&) { return calls++ == failures ? ENOSPC : kMake; });
      write_file_atomically(path, "new");
      done = true;
    });
    if (done) break;
    BOOST_TEST(contains(said, ": cannot be written: No space left on device"), said);
    // Only the flush of the folder comes after the file has its name.
    BOOST_TEST(file_text(path) == (failures < 3 ? "old" : "new"), failures);
    BOOST_TEST(names_in(dir) == std::vector<std::string>{"file"}, boost::test_tools::per_element());
  }
  BOOST_TEST(failures == 4);
}

BOOST_AUTO_TEST_CASE(files_of_others_stay) {
  const TempDir dir;
  const std::string temporary = fmt::format("fade-{}-0.tmp", ::getpid());
  dir.write("file.tmp", "somebody's");
  dir.write(temporary, "somebody's");
  write_file_atomically(dir.path("file"), "new");
  BOOST_TEST(file_text(dir.path("file")) == "new");
  BOOST_TEST(file_text(dir.path("file.tmp")) == "somebody's");
  BOOST_TEST(file_text(dir.path(temporary)) == "somebody's");
  BOOST_TEST(names_in(dir).size() == 3u);
  BOOST_TEST(is_temporary(dir.path(temporary)));
  BOOST_TEST(!is_temporary(dir.path("file.tmp")));
}

BOOST_AUTO_TEST_CASE(symbolic_links_are_followed) {
  const TempDir dir;
  fs::create_directory(dir.path("folder"));
  fs::create_symlink("folder/there", dir.path("first"));
  fs::create_symlink("first", dir.path("second"));
  for (const char* text : {"created", "replaced"}) {
    write_file_atomically(dir.path("second"), text);
    BOOST_TEST(fs::is_symlink(dir.path("first")));
    BOOST_TEST(fs::is_symlink(dir.path("second")));
    BOOST_TEST(file_text(dir.path("folder/there")) == text);
  }
}

BOOST_AUTO_TEST_CASE(a_replaced_file_keeps_its_permissions) {
  const TempDir dir;
  const std::string path = dir.write("file", "old");
  fs::permissions(path, fs::perms(0640));
  write_file_atomically(path, "new");
  BOOST_TEST((fs::status(path).permissions() == fs::perms(0640)));
}

BOOST_AUTO_TEST_CASE(a_pipe_is_written_directly) {
  const TempDir dir;
  const std::string path = dir.path("pipe");
  BOOST_REQUIRE(::mkfifo(path.c_str(), 0600) == 0);
  std::string got;
  std::thread reader([&] { got = file_text(path); });
  write_file_atomically(path, kText);
  reader.join();
  BOOST_TEST(got == kText);
  BOOST_TEST(fs::is_fifo(path));
}

BOOST_AUTO_TEST_CASE(standard_output_is_written_directly) {
  const TempDir dir;
  const std::string path = dir.write("file", "before;"), link = dir.path("stdout");
  fs::create_symlink("/proc/self/fd/1", link);  // as /dev/stdout is, which a fault would replace
  {
    const Redirected out(STDOUT_FILENO, Descriptor(path, O_WRONLY | O_APPEND));
    BOOST_TEST(is_standard_output("-"));
    BOOST_TEST(is_standard_output(link));
    BOOST_TEST(is_standard_output(path));
    BOOST_TEST(!is_standard_output(dir.path("other")));
    write_file_atomically("-", "first;");
    write_file_atomically(link, "second");
  }
  BOOST_TEST(file_text(path) == "before;first;second");
  BOOST_TEST(!is_standard_output(path));
}

BOOST_AUTO_TEST_CASE(an_output_that_cannot_be_written_is_refused_before_the_work) {
  const TempDir dir;
  const std::string file = dir.write("file", kText), loop = dir.path("loop");
  fs::create_symlink("loop", loop);
  check_output(dir.path("new"), {file});
  check_output(file, {dir.path("none")});
  check_output("/dev/null", {"/dev/null"});
  BOOST_TEST(why_no_output(dir.path("none/x")) ==
             dir.path("none/x") + ": there is no directory " + dir.path("none") + " (create it)");
  BOOST_TEST(why_no_output(dir.path()) == why_not(dir.path()));
  BOOST_TEST(why_no_output(loop) == why_not(loop));
  BOOST_TEST(contains(why_no_output(file + "/x"), "a part of its path is not a directory"));
}

BOOST_AUTO_TEST_CASE(an_output_does_not_replace_its_input) {
  const TempDir dir;
  const std::string file = dir.write("file", kText), link = dir.path("link"), twin = dir.path("twin");
  fs::create_symlink("file", link);
  fs::create_hard_link(file, twin);
  for (const std::string& name : {file, link, twin})
    BOOST_TEST(why_no_output(name, {dir.path("none"), file}) ==
               name + ": is to be read and written (give another name for the output)");
  const Redirected in(STDIN_FILENO, Descriptor(file, O_RDONLY));
  BOOST_TEST(contains(why_no_output(file, {"-"}), "is to be read and written"));
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace fade::test
