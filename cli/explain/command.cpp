// `fade explain`: the gradient of one row's span on a text, term by term.
#include <cmath>

#include "cli/command.h"
#include "cli/explain/span_gradient.h"
#include "cli/explain/words.h"
#include "engine/io/input.h"
#include "models/kinds.h"
#include "train/data/corpus.h"

namespace fade {
namespace {

// The layer whose span gradient is largest.
size_t strongest(const std::vector<SpanGradient>& layers) {
  const auto at =
      std::ranges::max_element(layers, {}, [](const SpanGradient& g) { return std::abs(g.d_span()); });
  return static_cast<size_t>(at - layers.begin());
}

struct Explain {
  CheckpointArguments checkpoint;
  std::string text;
  int64_t row = 0;
  int layer = -1;
  bool all = false, json = false;

  explicit Explain(CLI::App& app) : checkpoint(app, true) {
    app.add_option("--text", text, "file to read as one stream; - is standard input")
        ->required()
        ->check(not_empty());
    add_number(app, "--row", row, {0, 1e15}, "position in the text of the byte whose row is explained")
        ->required();
    add_number(app, "--layer", layer, {0, range_of("model.layers").high - 1},
               "layer, from 0 (default: the one with the largest gradient)");
    app.add_flag("--all", all, "list every query on the ramp, and the terms of its heads");
    app.add_flag("--json", json, "print one JSON object");
  }
  void run() const {
    // The composed attention has the terms on the tape; in f64, they are those of the formulas.
    const LoadedModel loaded = checkpoint.load(checkpoint.path, [this](Config& c) {
      if (kind_info(c.model.kind).spans != Spans::of_rows)
        refuse("{}: model.kind {} has no span per row to explain (expire_span has)", checkpoint.path,
               kind_info(c.model.kind).name);
      if (layer >= c.model.layers)
        refuse("--layer {}: {} has no such layer (its layers: 0 to {})", layer, checkpoint.path,
               c.model.layers - 1);
      c.model.attention = AttentionPath::composed;
      c.model.recompute = false;  // every operation on the tape
      c.dtype = Precision::f64;
      c.device = DeviceChoice::cpu;
    });
    refuse_typed_text(text);
    const Input file(text);
    const Bytes bytes(file);
    check_vocabulary(bytes, loaded.config.model.vocab, file.name());
    const std::vector<SpanGradient> layers = span_gradients(*loaded.model, bytes, file.name(), row);

    const std::vector<uint8_t> read = bytes.all();
    const Explained explained{layers, layer < 0 ? strongest(layers) : static_cast<size_t>(layer),
                              read,   file.name(),
                              row,    loaded.config.model};
    write_stdout(json ? explanation_json(explained) + "\n" : explanation(explained, all));
    say_which(loaded.which);
  }
};

}  // namespace

void add_explain(Program& program) {
  add_command<Explain>(program, "explain", "the gradient of one row's span on a text, term by term");
}

}  // namespace fade
