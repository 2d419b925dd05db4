// `fade grad`: losses and gradients on given bytes.
#include "cli/command.h"
#include "cli/gradients.h"
#include "engine/io/input.h"
#include "engine/io/output.h"
#include "train/config/resolve.h"

namespace fade {
namespace {

struct Grad {
  ConfigArguments config;
  std::string weights, tokens, out, dtype, device;
  int blocks = 1;

  explicit Grad(CLI::App& app) : config(app) {
    app.add_option("--weights", weights, fmt::format("the parameters: {}", kCheckpointForms))->required();
    app.add_option("--tokens", tokens, "file whose bytes are the tokens; stream b takes the b-th part")
        ->required();
    add_number(app, "--blocks", blocks, {1, 1e6}, "blocks to read, carrying memory")->required();
    app.add_option("--out", out, "safetensors file to write: loss, aux, grad.NAME; - is standard output")
        ->required();
    app.add_option("--dtype", dtype, "f32 or f64 (default: f64, with --device cuda f32, or what --set says)");
    app.add_option("--device", device, "cpu or cuda (default: cpu, or what --set says)");
  }
  void run() const {
    refuse_terminal(out);
    check_output(out, {config.path, tokens});
    std::vector<std::string> options = device_override(device);
    if (!dtype.empty())
      options.push_back(fmt::format("dtype={}", name_of(parse_name<Precision>("--dtype", dtype))));
    const Config c = config.load(options, {device == "cuda" ? "dtype=f32" : "dtype=f64", "device=cpu"});
    const Device on = device_for(c.device);
    const Transformer model(c.model, types_for(c, on), on, c.seed);
    const WeightsFile read = read_weights(weights, warn_of_damage);
    check_output(out, {read.path});
    load_weights(read.file, read.path, model);
    const std::string bytes = read_file(tokens);
    save_safetensors(out, gradients(model, {reinterpret_cast<const uint8_t*>(bytes.data()), bytes.size()},
                                    c.train.batch, blocks));
    say_which(read.which);
  }
};

}  // namespace

void add_grad(Program& program) {
  add_command<Grad>(program, "grad", "losses and gradients on given bytes, for comparison");
}

}  // namespace fade
