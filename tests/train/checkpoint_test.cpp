// Checkpoints on the disk: whole or absent at every instant, whatever stops the process or the write; which
// ones are kept; damaged ones are set aside.
#include <sys/wait.h>
#include <unistd.h>

#include <boost/test/unit_test.hpp>
#include <cerrno>
#include <map>
#include <regex>
#include <set>

#include "tests/engine/system_calls.h"
#include "tests/small_training.h"
#include "train/checkpoint/run_directory.h"
#include "train/checkpoint/store.h"

namespace fade {
namespace {

namespace fs = std::filesystem;

// Flushing protects from power cuts, which no test has, and is slow.
int skip_flushes(const test::SystemCall& call) { return call.what == "fsync" ? test::kSkip : test::kMake; }

/// A run of a small model in a directory of its own.
struct SmallRun {
  test::TempDir dir;
  Config config = test::small_config(dir);
  Corpus corpus{config.data};
  Trainer trainer{config, corpus};
  const std::string run = dir.path("run");

  void steps(int n) { test::train(trainer, n); }
  void save() const { save(trainer); }
  void save(const Trainer& of) const {
    const test::Intercepting on(skip_flushes);
    test::save(of, run);
  }
  int64_t newest() const { return step_of(read_checkpoint(run)); }
  static int64_t step_of(const Checkpoint& c) { return std::stoll(c.state.metadata.at("step")); }
  std::set<std::string> entries() const {
    std::set<std::string> names;
    for (const auto& entry : fs::directory_iterator(run)) names.insert(entry.path().filename().string());
    return names;
  }
};

// A child process saves, and ends abruptly at its n-th system call. True if it ended regularly.
bool save_up_to_call(const SmallRun& r, int n) {
  const pid_t child = ::fork();
  if (child == 0) {
    int calls = 0;
    const test::Intercepting on([&](const test::SystemCall& call) {
      if (calls++ == n) ::_exit(1);
      return skip_flushes(call);
    });
    test::save(r.trainer, r.run);
    remove_old_checkpoints(r.run, r.trainer.steps_done(), {.newest = 2, .every = 0});
    ::_exit(0);
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

void flip_a_bit(const fs::path& file) {
  std::fstream f(file, std::ios::in | std::ios::out | std::ios::binary);
  const auto at = static_cast<std::streamoff>(fs::file_size(file) * 2 / 3);
  f.seekg(at);
  const char byte = static_cast<char>(f.get());
  f.seekp(at);
  f.put(static_cast<char>(byte ^ 4));
}

}  // namespace

BOOST_AUTO_TEST_SUITE(checkpoints)

// The process ends at each system call of a save, and of the removal of an old checkpoint, in turn.
BOOST_AUTO_TEST_CASE(killed_at_any_system_call_the_newest_checkpoint_is_whole) {
  SmallRun r;
  for (int i = 0; i < 3; ++i) {
    r.steps(1);
    r.save();
  }
  const test::TempDir copies;
  r.steps(1);
  int calls = 0;
  bool got_through = false, old_seen = false, new_seen = false;
  for (; !got_through; ++calls) {
    const std::string copy = copies.path(std::to_string(calls));
    fs::copy(r.run, copy, fs::copy_options::recursive);
    got_through = save_up_to_call(r, calls);
    const Checkpoint newest =
        read_checkpoint(r.run, [&](const fs::path& checkpoint, const std::string& what) {
          BOOST_ERROR(checkpoint << " is not whole after call " << calls << ": " << what);
        });
    const int64_t step = r.step_of(newest);
    BOOST_TEST((step == 3 || step == 4), "step " << step << " after call " << calls);
    (step == 4 ? new_seen : old_seen) = true;
    BOOST_TEST((got_through ? step == 4 : true));
    // What is there is taken, though the process ended before it did more.
    BOOST_TEST((step == 4 || !fs::exists(r.run + "/step-4")), "step " << step << " after call " << calls);
    // The next process resumes from there, and removes the remains.
    {
      const RunDirectory opened(r.run, true);
      for (const std::string& name : r.entries())
        BOOST_TEST(!std::regex_match(name, std::regex("step.*tmp")), name);
      Trainer resumed(r.config, r.corpus);
      resumed.restore(state_of(newest, r.config, resumed.state()));
      if (step == 3) resumed.step();
      BOOST_TEST((test::all_values(resumed) == test::all_values(r.trainer)));
      r.save(resumed);
      BOOST_TEST(r.newest() == 4);
    }
    fs::remove_all(r.run);
    fs::rename(copy, r.run);
  }
  BOOST_TEST(old_seen);
  BOOST_TEST(new_seen);
  BOOST_TEST(calls > 20);
}

// The n-th system call finds the disk full, for every n: the save fails without leaving an unfinished file,
// and the next save succeeds.
BOOST_AUTO_TEST_CASE(a_save_that_fails_at_any_call_leaves_the_old_checkpoints_and_no_remains) {
  SmallRun r;
  r.steps(1);
  r.save();
  const auto before = r.entries();
  r.steps(1);
  bool succeeded = false;
  int failures = 0;
  for (int n = 0; !succeeded; ++n) {
    int calls = 0;
    try {
      const test::Intercepting on(
          [&](const test::SystemCall& call) { return calls++ == n ? ENOSPC : skip_flushes(call); });
      test::save(r.trainer, r.run);
      succeeded = true;
    } catch (const Error& e) {
      ++failures;
      BOOST_TEST(test::contains(e.what(), "No space left on device"), e.what());
      const int64_t newest = r.newest();
      BOOST_TEST((newest == 1 || newest == 2));
      if (!fs::exists(r.run + "/step-2")) BOOST_TEST((r.entries() == before), "remains after call " << n);
    }
  }
  BOOST_TEST(failures > 15);
  BOOST_TEST(r.newest() == 2);
}

// A power cut loses everything that was not flushed. So the content of a file or folder is flushed before it
// gets its final name, and the folder that holds the name is flushed after it.
BOOST_AUTO_TEST_CASE(everything_is_flushed_before_and_after_it_is_renamed) {
  SmallRun r;
  r.steps(1);
  std::map<std::string, bool> dirty;  // files and folders with changes that are not flushed
  std::vector<std::string> renamed;
  {
    const test::Intercepting on([&](const test::SystemCall& call) {
      if (call.what == "write") dirty[call.path] = true;
      if (call.what == "fsync") dirty[call.path] = false;
      if (call.what == "rename") {
        for (const auto& [path, is_dirty] : dirty)
          BOOST_TEST(!is_dirty, path << " is not flushed when " << call.path << " is renamed");
        dirty[fs::path(call.to).parent_path().string()] = true;
        renamed.push_back(fs::path(call.to).filename().string());
      }
      return skip_flushes(call);
    });
    test::save(r.trainer, r.run);
  }
  for (const auto& [path, is_dirty] : dirty) BOOST_TEST(!is_dirty, path << " is not flushed at the end");
  const std::vector<std::string> order{"model.safetensors", "state.safetensors", "latest", "step-1"};
  BOOST_TEST(renamed == order, boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(the_newest_and_every_kth_and_the_best_are_kept) {
  const test::TempDir dir;
  const fs::path run = dir.path("run");
  const auto left = [&](const Retention& keep) {
    fs::remove_all(run);
    for (int step = 0; step <= 100; step += 10)
      add_checkpoint(run, step, [](const fs::path& folder) { std::ofstream(folder / "file") << "content"; });
    mark_best(run, 20);
    remove_old_checkpoints(run, 90, keep);  // 100 is from before a rollback
    std::set<int> steps;
    for (const auto& entry : fs::directory_iterator(run))
      if (entry.is_directory()) steps.insert(std::stoi(entry.path().filename().string().substr(5)));
    return steps;
  };
  BOOST_TEST((left({.newest = 1, .every = 0}) == std::set{20, 90, 100}));
  BOOST_TEST((left({.newest = 3, .every = 0}) == std::set{20, 70, 80, 90, 100}));
  BOOST_TEST((left({.newest = 2, .every = 30}) == std::set{0, 20, 30, 60, 80, 90, 100}));
  BOOST_TEST((left({.newest = 1, .every = 0, .also = 50}) == std::set{20, 50, 90, 100}));
  BOOST_TEST(left({.newest = 0, .every = 50}).size() == 11u);
  BOOST_TEST(left({.newest = 1000, .every = 0}).size() == 11u);
}

// Rolling back: `latest` may name an older checkpoint. Without it, the newest is tried first.
BOOST_AUTO_TEST_CASE(latest_names_the_checkpoint_to_resume_from) {
  const test::TempDir dir;
  const fs::path run = dir.path("run");
  for (const int step : {5, 10, 9})  // as numbers, not as names
    add_checkpoint(run, step, [](const fs::path&) {});
  const auto tried = [&] {
    std::vector<std::string> names;
    for (const fs::path& path : checkpoints_to_try(run)) names.push_back(path.filename().string());
    return names;
  };
  BOOST_TEST((tried() == std::vector<std::string>{"step-9", "step-5"}));
  std::ofstream(run / "latest") << "step-77\n";  // one that was to come
  BOOST_TEST((tried() == std::vector<std::string>{"step-10", "step-9", "step-5"}));
  // Back to step 5, and stopped before step-8 was in place: the later ones stay out.
  std::ofstream(run / "latest") << "step-8\n";
  BOOST_TEST((tried() == std::vector<std::string>{"step-5"}));
  for (const char* content : {"step-9 \r\n", " step-9/", "step-9\nstep-5\n"}) {
    std::ofstream(run / "latest") << content;
    BOOST_TEST((tried() == std::vector<std::string>{"step-9", "step-5"}), content);
  }
  for (const char* content : {"step-4\n", "step-\n", "step-10x\n", "../step-10\n", "best\n", ""}) {
    std::ofstream(run / "latest") << content;
    const std::string message = test::refusal(tried);
    BOOST_TEST(test::contains(message, "latest: "), content << ": " << message);
    BOOST_TEST(test::contains(message, "write the name of one that is into it: step-10 step-9 step-5"));
  }
  fs::remove(run / "latest");
  BOOST_TEST((tried() == std::vector<std::string>{"step-10", "step-9", "step-5"}));
}

// A run that went back to an older checkpoint never continues from a later one of before: not even when it is
// stopped after `latest` has got the name of a checkpoint, and before its folder is there.
BOOST_AUTO_TEST_CASE(what_a_run_went_back_from_is_set_aside) {
  const test::TempDir dir;
  const fs::path run = dir.path("run");
  for (const int step : {20, 40, 60}) add_checkpoint(run, step, [](const fs::path&) {});
  std::ofstream(run / "latest") << "step-20\n";
  add_checkpoint(run, 50, [](const fs::path&) {});
  BOOST_TEST(fs::exists(run / "step-40.abandoned"));
  std::ofstream(run / "latest") << "step-20\n";
  add_checkpoint(run, 50, [](const fs::path&) {});  // the same step again
  BOOST_TEST(fs::exists(run / "step-50.abandoned"));
  std::ofstream(run / "latest") << "step-20\n";
  add_checkpoint(run, 50, [](const fs::path&) {});  // and once more
  BOOST_TEST(fs::exists(run / "step-50.abandoned"));
  BOOST_TEST(fs::exists(run / "step-50.abandoned-2"));
  fs::remove(run / "step-50");
  BOOST_TEST((checkpoints_to_try(run) == std::vector<fs::path>{run / "step-20"}));
}

// A process that ends between naming a checkpoint in `latest` and giving its folder that name.
BOOST_AUTO_TEST_CASE(a_checkpoint_that_lacks_its_name_gets_it) {
  const test::TempDir dir;
  const fs::path run = dir.path("run");
  add_checkpoint(run, 20, [](const fs::path&) {});
  fs::rename(run / "step-20", run / "step-20.tmp");
  fs::create_directory(run / "step-10.tmp");
  std::ofstream(run / "best") << "step-10\n";  // which is half written
  BOOST_TEST(test::contains(test::refusal([&] { checkpoints_meant_by(run / "best", Prefer::best); }),
                            "best: names no checkpoint"));
  BOOST_TEST((checkpoints_to_try(run) == std::vector<fs::path>{run / "step-20.tmp"}));
  BOOST_TEST(
      (checkpoints_meant_by(run / "latest", Prefer::best) == std::vector<fs::path>{run / "step-20.tmp"}));
  {
    const test::Intercepting on(
        [](const test::SystemCall& call) { return call.what == "rename" ? ENOSPC : test::kMake; });
    BOOST_CHECK_THROW(finish_interrupted(run), Error);
  }
  BOOST_TEST((checkpoints_to_try(run) == std::vector<fs::path>{run / "step-20.tmp"}));
  finish_interrupted(run);
  BOOST_TEST((checkpoints_to_try(run) == std::vector<fs::path>{run / "step-20"}));
  BOOST_TEST(!fs::exists(run / "step-10.tmp"));
}

BOOST_AUTO_TEST_CASE(damaged_checkpoints_are_passed_over_and_set_aside) {
  SmallRun r;
  for (int i = 0; i < 3; ++i) {
    r.steps(1);
    r.save();
  }
  flip_a_bit(r.run + "/step-3/state.safetensors");
  fs::remove(r.run + "/step-2/model.safetensors");
  const RunDirectory directory(r.run, true);
  std::vector<std::string> notes;
  const auto found = directory.newest_checkpoint(notes);
  BOOST_REQUIRE(found.has_value());
  BOOST_TEST(r.step_of(*found) == 1);
  BOOST_TEST(notes.size() == 2u);
  BOOST_TEST(test::contains(notes[0], "step-3/state.safetensors: damaged"), notes[0]);
  BOOST_TEST(test::contains(notes[1], "step-2/model.safetensors: no such file"), notes[1]);
  BOOST_TEST(
      (r.entries() == std::set<std::string>{"latest", "lock", "step-1", "step-2.damaged", "step-3.damaged"}));
}

BOOST_AUTO_TEST_CASE(without_a_whole_checkpoint_nothing_is_renamed) {
  SmallRun r;
  for (int i = 0; i < 2; ++i) {
    r.steps(1);
    r.save();
    flip_a_bit(r.run + "/step-" + std::to_string(i + 1) + "/model.safetensors");
  }
  const RunDirectory directory(r.run, true);
  std::vector<std::string> notes;
  const std::string message = test::refusal([&] { directory.newest_checkpoint(notes); });
  BOOST_TEST(test::contains(message, "step-1/model.safetensors: damaged"), message);
  BOOST_TEST((r.entries() == std::set<std::string>{"latest", "lock", "step-1", "step-2"}));
}

// Older checkpoints have it in their state.
BOOST_AUTO_TEST_CASE(the_corpus_is_known) {
  SmallRun r;
  r.steps(1);
  r.save();
  Checkpoint c = read_checkpoint(r.run);
  const CorpusIdentity corpus = r.corpus.identity();
  BOOST_TEST((corpus_of(c) == corpus));
  for (const char* key : {"corpus.bytes", "corpus.hash"}) {
    const auto entry = c.weights.metadata.extract(key);
    c.state.metadata[key] = entry.mapped();
  }
  BOOST_TEST((corpus_of(c) == corpus));
  BOOST_TEST((state_of(c, r.config, r.trainer.state()).corpus == corpus));
}

// A run with the weights of one step and the state of another would continue with wrong results.
BOOST_AUTO_TEST_CASE(files_of_two_checkpoints_do_not_go_together) {
  SmallRun r;
  r.steps(1);
  r.save();
  r.steps(1);
  r.save();
  fs::copy_file(r.run + "/step-1/state.safetensors", r.run + "/step-2/state.safetensors",
                fs::copy_options::overwrite_existing);
  const std::string message = test::refusal([&] { read_checkpoint(r.run + "/step-2"); });
  BOOST_TEST(test::contains(message, "were not written together"), message);
}

BOOST_AUTO_TEST_CASE(a_run_directory_is_locked_and_made_again) {
  SmallRun r;
  std::optional<RunDirectory> first(std::in_place, r.run, false);
  const auto refused = [&] {
    return test::contains(test::refusal([&] { RunDirectory(r.run, false); }),
                          "another process is training there");
  };
  BOOST_TEST(refused());
  BOOST_TEST(!first->recreate_if_gone(r.config));
  fs::remove_all(r.run);
  BOOST_TEST(first->recreate_if_gone(r.config));
  BOOST_TEST(fs::exists(r.run + "/config.yaml"));
  BOOST_TEST(refused());
  BOOST_TEST(!first->recreate_if_gone(r.config));
  first.reset();
  BOOST_TEST(!refused());
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace fade
