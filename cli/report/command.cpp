// `fade report`: the curves, settings and samples of runs, in one page.
#include "cli/command.h"
#include "cli/page/page.h"
#include "cli/report/report_data.h"
#include "cli/report/run_history.h"
#include "engine/io/output.h"
#include "engine/io/utf8.h"
#include "train/checkpoint/run_directory.h"

namespace fade {
namespace {

struct ReportOnRuns {
  std::vector<std::string> paths;
  std::string out;
  bool json = false;
  int64_t bytes = 400;

  explicit ReportOnRuns(CLI::App& app) {
    app.add_option("RUN", paths, "run directories, also of runs that still train")->required();
    app.add_option("--out", out, "the page, an HTML file; - is standard output")->check(not_empty());
    app.add_flag("--json", json, "print the numbers instead, as one JSON object");
    add_number(app, "--bytes", bytes, {0, 100'000},
               "length of the text from each run's best checkpoint (0: none)")
        ->capture_default_str();
  }
  void run() const {
    const bool page = !out.empty();
    if (page == json)
      refuse("report: {} (give one of them)",
             page ? "both --out and --json" : "neither --out PAGE.html nor --json");
    const std::vector<RunHistory> runs = read_histories(paths);
    if (json) {
      const auto text = report_data(runs, {.sample_bytes = bytes, .on_damaged = warn_of_damage})
                            .dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace);
      return write_stdout(text + "\n");
    }
    check_output(out, {});
    refuse_file_of_run(out);
    constexpr size_t kMostLines = 20'000;  // about 2 MB of a page
    const nlohmann::ordered_json data =
        report_data(runs, {.sample_bytes = bytes, .most_lines = kMostLines, .on_damaged = warn_of_damage});
    std::string title = "fade report:";
    for (const RunHistory& run : runs) title += " " + run.name;
    write_file_atomically(out, make_page("report/report", title, data));
    for (const auto& run : data["runs"])
      if (run["sample"].contains("error"))
        print_stderr("{}: no sample: {}", run["name"].get<std::string>(),
                     run["sample"]["error"].get<std::string>());
  }
};

}  // namespace

void add_report(Program& program) {
  add_command<ReportOnRuns>(program, "report", "curves, settings and samples of runs: a page for a browser");
}

}  // namespace fade
