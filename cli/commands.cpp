#include "cli/commands.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "cli/bench.h"
#include "cli/command.h"
#include "cli/compare/command.h"
#include "cli/compress/commands.h"
#include "cli/gradients.h"
#include "engine/io/files.h"
#include "train/config/file.h"
#include "train/data/corpus.h"
#include "train/evaluate.h"
#include "train/generate.h"
#include "train/run.h"

namespace fade {
namespace {

struct ConfigArguments {
  std::string path;
  std::vector<std::string> sets;

  void declare(CLI::App& app) {
    app.add_option("CONFIG", path, "configuration file (YAML; docs/configuration.md lists the keys)")
        ->required();
    app.add_option("--set", sets, "key.path=value: overrides a key of the configuration; may be repeated")
        ->allow_extra_args(false);
  }
  /// Of keys set more than once, the last wins: a command's defaults, --set, then a command's own options.
  Config load(const std::vector<std::string>& options = {},
              const std::vector<std::string>& defaults = {}) const {
    std::vector<std::string> all = defaults;
    all.insert(all.end(), sets.begin(), sets.end());
    all.insert(all.end(), options.begin(), options.end());
    return load_config(path, all);
  }
};

struct Train final : Command {
  ConfigArguments config;
  std::string out, device;
  bool resume = false, check_finite = false;

  explicit Train(CLI::App& app) {
    config.declare(app);
    app.add_option("--out", out, "run directory (default: runs/ and the configuration's name)");
    app.add_option("--device", device, "auto, cpu or cuda: overrides the configuration's");
    app.add_flag("--resume", resume, "go on from the run directory's newest checkpoint");
    app.add_flag("--check-finite", check_finite,
                 "look for infinities and NaNs in the result and the gradient of every operation (slow)");
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
                     .check_finite = check_finite});
  }
};

struct Eval final : Command {
  CheckpointArguments checkpoint;
  std::string data, split = "valid";
  int streams = 0;
  bool json = false;

  explicit Eval(CLI::App& app) {
    checkpoint.declare(app);
    app.add_option("--data", data, "a file to read instead of the configuration's corpus");
    app.add_option("--split", split, "train, valid, test or all")->capture_default_str();
    app.add_option("--streams", streams,
                   "streams read side by side; 1 is the strict figure (default: train.batch)")
        ->check(at_least(1));
    app.add_flag("--json", json, "print one JSON object");
  }
  void run() override {
    LoadedModel loaded = checkpoint.load();
    DataConfig& d = loaded.config.data;
    if (!data.empty()) {
      d.kind = DataKind::file;
      d.path = data;
    }
    const Corpus corpus(d);
    const EvalResult r = evaluate(*loaded.model, corpus.bytes(parse_name<Split>("--split", split)),
                                  fmt::format("{} ({})", corpus.name(), split),
                                  {.streams = streams ? streams : loaded.config.train.batch});
    if (json) {
      const nlohmann::ordered_json out = {{"bits_per_byte", r.bits_per_byte},
                                          {"bytes", r.bytes},
                                          {"split", split},
                                          {"streams", r.streams},
                                          {"mean_rows", r.mean_rows},
                                          {"mean_span", r.mean_span}};
      fmt::print("{}\n", out.dump());
      return;
    }
    fmt::print("{:.4f} bits per byte on {} of {} ({} bytes predicted, {} streams)\n", r.bits_per_byte, split,
               corpus.name(), r.bytes, r.streams);
    fmt::print("{:.1f} rows in memory a stream and layer; mean span {:.1f}\n", r.mean_rows, r.mean_span);
  }
};

struct Generate final : Command {
  CheckpointArguments checkpoint;
  std::string prompt;
  GenerateOptions options;

  explicit Generate(CLI::App& app) {
    checkpoint.declare(app);
    app.add_option("--prompt", prompt, "text to go on from");
    app.add_option("--bytes", options.bytes, "how much to write")->check(at_least(0))->capture_default_str();
    app.add_option("--temperature", options.temperature, "0: always the likeliest byte")
        ->check(at_least(0))
        ->capture_default_str();
    app.add_option("--top-k", options.top_k, "sample among the k likeliest bytes; 0: all")
        ->check(at_least(0))
        ->capture_default_str();
    app.add_option("--seed", options.seed, "another seed writes another text")->capture_default_str();
  }
  void run() override {
    const LoadedModel loaded = checkpoint.load();
    generate(*loaded.model, prompt, options, [](char c) {
      std::fputc(c, stdout);
      std::fflush(stdout);
    });
    std::fputc('\n', stdout);
  }
};

struct Grad final : Command {
  ConfigArguments config;
  std::string weights, tokens, out, dtype, device;
  int blocks = 1;

  explicit Grad(CLI::App& app) {
    config.declare(app);
    app.add_option("--weights", weights, "safetensors file of the parameters")->required();
    app.add_option("--tokens", tokens, "file whose bytes are the tokens; stream b takes the b-th part")
        ->required();
    app.add_option("--blocks", blocks, "blocks to read, carrying memory")->required()->check(at_least(1));
    app.add_option("--out", out, "safetensors file to write: loss, aux, grad.NAME")->required();
    app.add_option("--dtype", dtype, "f32 or f64 (default: f64, or what --set says)");
    app.add_option("--device", device, "cpu or cuda (default: cpu, or what --set says)");
  }
  void run() override {
    std::vector<std::string> options;
    if (!dtype.empty())
      options.push_back(fmt::format("dtype={}", name_of(parse_name<Precision>("--dtype", dtype))));
    if (!device.empty())
      options.push_back(fmt::format("device={}", name_of(parse_name<DeviceChoice>("--device", device))));
    const Config c = config.load(options, {"dtype=f64", "device=cpu"});
    set_threads(c.threads);
    const Transformer model(c.model, resolve(c.dtype), resolve(c.device), c.seed);
    load_weights(weights, model);
    const std::string bytes = read_file(tokens);
    save_safetensors(out, gradients(model, {reinterpret_cast<const uint8_t*>(bytes.data()), bytes.size()},
                                    c.train.batch, blocks));
  }
};

struct Bench final : Command {
  ConfigArguments config;
  std::string device;
  int64_t live = 0;
  int steps = 20;
  bool json = false;

  explicit Bench(CLI::App& app) {
    config.declare(app);
    app.add_option("--live", live, "context rows a stream and layer, all live, the block's own included")
        ->required();
    app.add_option("--steps", steps, "steps to time")->check(CLI::PositiveNumber)->capture_default_str();
    app.add_option("--device", device, "auto, cpu or cuda: overrides the configuration's");
    app.add_flag("--json", json, "print one JSON object");
  }
  void run() override {
    const Config c =
        config.load(device.empty() ? std::vector<std::string>{} : std::vector{"device=" + device});
    set_threads(c.threads);
    const BenchResult r = bench_step(c, live, steps);
    if (json) {
      const nlohmann::ordered_json out = {
          {"ms", r.ms}, {"tokens_per_s", r.tokens_per_s}, {"peak_bytes", r.peak_bytes}, {"live", r.live}};
      fmt::print("{}\n", out.dump());
      return;
    }
    fmt::print("{:.1f} ms a step, {:.0f} tokens/s, peak {:.1f} MiB, {} rows live\n", r.ms, r.tokens_per_s,
               static_cast<double>(r.peak_bytes) / (1 << 20), r.live);
  }
};

struct Info final : Command {
  CheckpointArguments checkpoint;

  explicit Info(CLI::App& app) { checkpoint.declare(app); }
  void run() override {
    const LoadedModel loaded = checkpoint.load();
    fmt::print("{}\n{} parameters in {} tensors\n", loaded.file.string(), loaded.model->parameters().count(),
               loaded.model->parameters().all().size());
    for (const Parameter& p : loaded.model->parameters().all())
      fmt::print("  {:<34} {}\n", p.name, p.value().shape().str());
    fmt::print("\n{}", to_yaml(loaded.config));
  }
};

template <class C>
void add(CLI::App& app, std::vector<std::unique_ptr<Command>>& commands, const char* name, const char* what,
         Command*& chosen) {
  CLI::App* sub = app.add_subcommand(name, what);
  commands.push_back(std::make_unique<C>(*sub));
  sub->callback([command = commands.back().get(), &chosen] { chosen = command; });
}

// What is wrong with the words of a call, in one line that begins with the command.
int complain(const CLI::App& app, const std::vector<std::string>& words, const CLI::ParseError& e) {
  const auto known = app.get_subcommands([](const CLI::App*) { return true; });
  const bool command = !words.empty() && std::ranges::any_of(known, [&](const CLI::App* sub) {
    return sub->get_name() == words.front();
  });
  if (command) {
    fmt::print(stderr, "fade {}: {}\n(fade {} --help lists its arguments)\n", words.front(), e.what(),
               words.front());
    return 2;
  }
  std::string names;
  for (const CLI::App* sub : known) names += (names.empty() ? "" : ", ") + sub->get_name();
  if (words.empty())
    fmt::print(stderr, "fade: a command is missing; there are: {}\n", names);
  else
    fmt::print(stderr, "fade: {}: no such command; there are: {}\n", words.front(), names);
  return 2;
}

}  // namespace

int run_command_line(int argc, char** argv) {
  CLI::App app{"fade: train transformers that learn what to forget (Expire-Span)", "fade"};
  app.require_subcommand(1);
  std::vector<std::unique_ptr<Command>> commands;
  Command* chosen = nullptr;
  add<Train>(app, commands, "train", "train a model", chosen);
  add<Compare>(app, commands, "compare", "train several models on the same data and compare them", chosen);
  add<Eval>(app, commands, "eval", "bits per byte of a checkpoint", chosen);
  add<Generate>(app, commands, "generate", "text from a checkpoint", chosen);
  add<Compress>(app, commands, "compress", "code a file with a checkpoint's predictions", chosen);
  add<Decompress>(app, commands, "decompress", "give back a file that compress coded", chosen);
  add<Grad>(app, commands, "grad", "losses and gradients on given bytes, for comparison", chosen);
  add<Bench>(app, commands, "bench", "time, speed and memory of one training step", chosen);
  add<Info>(app, commands, "info", "what is in a checkpoint", chosen);
  try {
    app.parse(argc, argv);
    chosen->run();
    return 0;
  } catch (const CLI::ParseError& e) {
    if (e.get_exit_code() == 0) return app.exit(e);  // --help
    return complain(app, {argv + 1, argv + argc}, e);
  } catch (const InputError& e) {
    fmt::print(stderr, "fade: {}\n", e.what());
    return 2;
  } catch (const std::exception& e) {
    fmt::print(stderr, "fade: {}\n", e.what());
    return 1;
  }
}

}  // namespace fade
