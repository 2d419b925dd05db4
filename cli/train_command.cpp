// `fade train`: trains a model.
#include "cli/command.h"
#include "cli/print_report.h"
#include "train/run.h"

namespace fade {
namespace {

struct Train final : Command {
  ConfigArguments config;
  std::string out, device;
  bool resume = false, check_finite = false;

  explicit Train(CLI::App& app) {
    config.declare(app);
    app.add_option("--out", out, "run directory (default: runs/ and the configuration's name)");
    app.add_option("--device", device, "auto, cpu or cuda: overrides the configuration's");
    app.add_flag("--resume", resume, "resume from the run directory's newest checkpoint");
    app.add_flag("--check-finite", check_finite,
                 "check the result and the gradient of every operation for infinities and NaNs (slow)");
  }
  void run() override {
    std::vector<std::string> more;
    if (!device.empty()) {
      parse_name<DeviceChoice>("--device", device);
      more.push_back("device=" + device);
    }
    const Config c = config.load(more);
    set_threads(c.threads);
    const std::filesystem::path stem = std::filesystem::path(config.path).stem();
    run_training(c, {.out = out.empty() ? std::filesystem::path("runs") / stem : std::filesystem::path(out),
                     .resume = resume,
                     .check_finite = check_finite,
                     .on_end = [&](const FinishedRun& run) { print_report(run, c); }});
  }
};

}  // namespace

std::unique_ptr<Command> make_train(CLI::App& app) { return std::make_unique<Train>(app); }

}  // namespace fade
