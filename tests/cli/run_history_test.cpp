// What a report reads from runs: the curves in their logs, and which runs paths mean.
#include "cli/report/run_history.h"

#include <boost/test/unit_test.hpp>
#include <cmath>
#include <fstream>

#include "cli/report/report_data.h"
#include "tests/support.h"

namespace fade::test {
namespace {

namespace fs = std::filesystem;

/// A directory with what a run leaves there, and no checkpoint.
std::string small_run(const TempDir& dir, const std::string& name, const std::string& metrics) {
  fs::create_directories(dir.path(name));
  std::ofstream(dir.path(name) + "/config.yaml") << "train: {batch: 2, steps: 40}\nmodel: {block: 16}\n";
  std::ofstream(dir.path(name) + "/metrics.jsonl", std::ios::binary) << metrics;
  return dir.path(name);
}

std::vector<std::string> names_of(const std::vector<RunHistory>& runs) {
  std::vector<std::string> names;
  for (const RunHistory& run : runs) names.push_back(run.name);
  return names;
}

const std::vector<double>& column(const Curves& curves, std::string_view key) {
  return std::ranges::find(curves.columns, key, &decltype(curves.columns)::value_type::first)->second;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(run_history)

BOOST_AUTO_TEST_CASE(lines_become_curves) {
  const TempDir dir;
  const std::string run =
      small_run(dir, "run",
                "{\"step\": 10, \"train_bpb\": 3.5, \"mean_span\": null}\n"
                "{\"step\": 20, \"train_bpb\": 3, \"mean_rows\": \"many\"}\nnot JSON\n[1]\n"
                "{\"step\": 20, \"valid_bpb\": 3.25}\n"
                "{\"step\": 20, \"valid_bpb\": 3.125, \"recall\": [{\"nearest\": 1}]}\n"
                "{\"step\": 15, \"train_bpb\": null}\n"
                "{\"step\": 30, \"train_bpb\": 2.5");  // just being written
  const RunHistory history = read_histories({run}).front();
  BOOST_TEST(history.training.steps == (std::vector<int64_t>{10, 15, 20}));
  BOOST_TEST(column(history.training, "train_bpb")[0] == 3.5);
  BOOST_TEST(std::isnan(column(history.training, "train_bpb")[1]));
  BOOST_TEST(column(history.training, "train_bpb")[2] == 3);
  BOOST_TEST(std::isnan(column(history.training, "mean_span")[0]));
  BOOST_TEST(std::isnan(column(history.training, "mean_rows")[2]));
  BOOST_TEST(history.validation.steps == std::vector<int64_t>{20});
  BOOST_TEST(column(history.validation, "valid_bpb")[0] == 3.125);
  BOOST_TEST(history.recall.empty());  // a score without its numbers
}

BOOST_AUTO_TEST_CASE(many_lines_keep_their_extremes) {
  Curves curves;
  std::vector<double> a;
  for (int i = 0; i < 10000; ++i) {
    curves.steps.push_back(i);
    a.push_back(i == 777 ? -5 : i == 4321 ? 1000 : i % 7 == 0 ? NAN : std::sin(0.01 * i));
  }
  curves.columns.emplace_back("a", a);
  curves.columns.emplace_back("none", std::vector<double>(10000, NAN));
  const Curves few = thinned(curves, 400);
  BOOST_TEST(few.steps.size() <= 402);
  BOOST_TEST(few.steps.size() > 100);
  BOOST_TEST(few.steps.front() == 0);
  BOOST_TEST(few.steps.back() == 9999);
  BOOST_TEST(std::ranges::is_sorted(few.steps));
  for (size_t i = 0; i < few.steps.size(); ++i) {  // whole lines
    const double was = a[static_cast<size_t>(few.steps[i])], is = column(few, "a")[i];
    BOOST_TEST((std::isnan(was) ? std::isnan(is) : was == is));
  }
  BOOST_TEST(std::ranges::count(column(few, "a"), -5) == 1);
  BOOST_TEST(std::ranges::count(column(few, "a"), 1000) == 1);
  BOOST_TEST(thinned(curves, 10000).steps.size() == 10000);
}

BOOST_AUTO_TEST_CASE(names_tell_runs_apart) {
  const TempDir dir;
  const std::string a = small_run(dir, "x/first/run", ""), b = small_run(dir, "x/second/run", ""),
                    c = small_run(dir, "y/second/run", ""), d = small_run(dir, "alone", ""),
                    e = small_run(dir, "caf\xe9", "");
  BOOST_TEST(names_of(read_histories({a})) == (std::vector<std::string>{"run"}),
             boost::test_tools::per_element());
  BOOST_TEST(names_of(read_histories({a, b, c, d, e})) ==
                 (std::vector<std::string>{"first/run", "x/second/run", "y/second/run", "alone", "caf\\xe9"}),
             boost::test_tools::per_element());
  BOOST_TEST(contains(refusal([&] {
                        read_histories({a, d, dir.path("x/../x/first/run/")});
                      }),
                      "is given twice (give each run once)"));
}

BOOST_AUTO_TEST_CASE(paths_that_mean_a_run) {
  const TempDir dir;
  const fs::path run = small_run(dir, "run", "");
  fs::create_directories(run / "step-4");
  for (const char* file : {"best", "latest", "step-4/model.safetensors"})
    std::ofstream(run / file) << "step-4\n";
  for (const char* name : {"", "best", "latest", "step-4", "step-4/", "config.yaml", "metrics.jsonl",
                           "step-4/model.safetensors"})
    BOOST_TEST(run_meant_by(run / name).lexically_relative(run).string() == ".", name);
  const auto error = [](const fs::path& path) { return refusal([&] { run_meant_by(path); }); };
  fs::create_directories(dir.path("loose"));
  std::ofstream(dir.path("loose/model.safetensors")) << "weights\n";
  BOOST_TEST(
      contains(error(dir.path("loose/model.safetensors")), "weights alone, of which no metrics are known"));
  BOOST_TEST(contains(error(dir.path()), "holds no run: config.yaml and metrics.jsonl are not both there"));
  BOOST_TEST(contains(error(run / "step-5"), "there is no such run"));
  BOOST_TEST(contains(error("-"), "standard input is no run"));
}

BOOST_AUTO_TEST_CASE(a_run_without_a_checkpoint_has_no_sample) {
  const TempDir dir;
  const std::string run =
      small_run(dir, "run", "{\"step\": 10, \"train_bpb\": 3.14159265, \"aux\": 1e-310}\n");
  const auto data = report_data(read_histories({run}), {.sample_bytes = 10, .most_lines = 100})["runs"][0];
  BOOST_TEST(!data["sample"]["error"].get<std::string>().empty());
  BOOST_TEST(data["best"].is_null());
  BOOST_TEST(data["bytes_per_step"] == 32);
  BOOST_TEST(data["training"]["train_bpb"].dump() == "[3.14159]");
  BOOST_TEST(data["training"]["lr"].dump() == "[null]");
  BOOST_TEST(report_data(read_histories({run}), {})["runs"][0]["training"]["train_bpb"].dump() ==
             "[3.14159265]");
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace fade::test
