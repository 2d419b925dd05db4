#include "train/config/text_preset.h"

#include <fmt/format.h>

#include <algorithm>
#include <system_error>

#include "engine/error.h"
#include "engine/io/input.h"
#include "train/call.h"
#include "train/config/file.h"

namespace fade {
namespace fs = std::filesystem;
namespace {

// A file named conf or c.yaml.bak must not be taken for a text.
void refuse_configuration(const std::string& path) {
  constexpr size_t kMost = 1 << 16;
  std::error_code ignored;
  if (!fs::is_regular_file(path, ignored) || fs::file_size(path, ignored) > kMost) return;
  if (reads_as_config(read_file(path)))
    refuse("{}: reads as a configuration, but is not named as one (give it a name that ends in .yaml)", path);
}

// The settings that a text of so many bytes needs instead of the preset's, as "key=value". Those that `given`
// holds stay as they are.
std::vector<std::string> settings_for(int64_t bytes, const Config& preset,
                                      const std::vector<std::string>& given) {
  constexpr int64_t kBlocks = 8, kEpochs = 40, kFewestSteps = 100, kValidations = 9;
  std::vector<std::string> settings;
  // The lower of the preset's value and another one.
  const auto lowered = [&](const std::string& key, int64_t value, int64_t to) {
    const auto sets_key = [&](const std::string& set) { return set.starts_with(key + '='); };
    if (to >= value || std::ranges::any_of(given, sets_key)) return value;
    settings.push_back(fmt::format("{}={}", key, to));
    return to;
  };
  const TrainConfig& train = preset.train;
  const int64_t text = bytes * preset.data.split[0] / 100;
  const int64_t block = lowered("model.block", preset.model.block, std::max<int64_t>(text - 1, 1));
  const int64_t batch =
      lowered("train.batch", train.batch, std::max<int64_t>(text / (kBlocks * (block + 1)), 1));
  const int64_t epochs = std::max(kEpochs * text / (batch * block), kFewestSteps);
  const int64_t steps = lowered("train.steps", train.steps, epochs);
  lowered("train.schedule.warmup", train.schedule.warmup, steps / 10);
  lowered("train.eval_every", train.eval_every, std::max<int64_t>(steps / kValidations, 1));
  return settings;
}

}  // namespace

bool is_configuration_name(const fs::path& path) {
  return path.extension() == ".yaml" || path.extension() == ".yml";
}

TextConfig config_for_text(const std::string& path, const std::vector<std::string>& overrides) {
  if (path != "-" && !path_exists(path))
    refuse("{}: no such file (give a text to train on, or a configuration, whose name ends in .yaml)", path);
  if (fs::is_directory(path))
    refuse("{}: a directory, where a text or a configuration was expected (to continue a run: {})", path,
           call_of({"train", "--resume", path}));
  if (fs::path(path).extension() == ".safetensors")
    refuse("{}: weights, where a text was expected (--from begins a run with them)", path);
  refuse_configuration(path);
  std::vector<std::string> all = {"data.path=" + path};
  all.insert(all.end(), overrides.begin(), overrides.end());
  const auto read = [&] { return parse_config(kLaptopPreset, "the laptop preset", all); };
  Config config = read();
  std::string note = fmt::format("{}: a text, trained with the laptop preset", path);
  std::error_code unknown;  // of what is no regular file
  const auto bytes = static_cast<int64_t>(fs::file_size(config.data.path, unknown));
  if (unknown) return {config, note};
  if (bytes < 3)
    refuse("{}: {} (a text to train on has thousands of bytes)", path, bytes ? "too short" : "empty");
  const std::vector<std::string> chosen = settings_for(bytes, config, overrides);
  if (chosen.empty()) return {config, note};
  all.insert(all.begin(), chosen.begin(), chosen.end());
  for (const std::string& setting : chosen)
    note += (&setting == &chosen.front() ? "; fitted to its length and steps: " : " ") + setting;
  return {read(), note + " (--set changes them)"};
}

}  // namespace fade
