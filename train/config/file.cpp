#include "train/config/file.h"

#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/yaml.h>

#include <algorithm>
#include <filesystem>
#include <set>
#include <sstream>

#include "engine/error.h"
#include "engine/io/input.h"
#include "engine/io/utf8.h"
#include "train/config/check.h"
#include "train/config/corpus_path.h"
#include "train/config/schema.h"
#include "train/config/suggestion.h"
#include "train/config/text_preset.h"

namespace fade {

namespace {

std::string found(const YAML::Node& node) {
  if (node.IsNull()) return "nothing";
  if (node.IsMap()) return "a map";
  if (node.IsScalar())
    return is_string(node) ? fmt::format("\"{}\"", shown(node.Scalar())) : shown(node.Scalar());
  YAML::Emitter flow;
  flow.SetSeqFormat(YAML::Flow);
  flow.SetMapFormat(YAML::Flow);
  flow << node;
  return shown(flow.c_str());
}

[[noreturn]] void refuse_unknown(const std::string& place, const std::string& path) {
  const std::string meant = nearest_key(path);
  const std::string advice = meant.empty() ? fmt::format("known here: {}", names_near(path))
                                           : fmt::format("did you mean {}?", meant);
  refuse("{}: {}: unknown key ({})", place, shown(path), advice);
}

void store(const Key& key, const YAML::Node& node, const std::string& place, Config& config) {
  if (!store_value(key, node, config))
    refuse("{}: {}: found {}, allowed: {}{}", place, key.path, found(node), allowed_values(key),
           node.IsScalar() ? suggestion(node.Scalar(), value_names(key)) : "");
}

using Entries = std::vector<std::pair<YAML::Node, YAML::Node>>;  ///< keys and values

std::string place_of(const YAML::Node& node, const std::string& source) {
  return fmt::format("{}:{}", source, node.Mark().line + 1);
}

bool is_merge(const YAML::Node& key) { return key.IsScalar() && key.Scalar() == "<<" && !is_string(key); }

/// Appends the map's own entries, then those of the maps that its key << names (YAML's merge type), but of no
/// key that is there already: own keys win, then earlier maps. A map that was merged before, even one inside
/// itself, holds nothing new.
void add_entries(const YAML::Node& map, const std::string& source, std::vector<YAML::Node>& merged,
                 Entries& entries) {
  constexpr size_t kMostMerged = 1000;
  if (std::ranges::any_of(merged, [&](const YAML::Node& node) { return node.is(map); })) return;
  if (merged.size() > kMostMerged)
    refuse("{}: <<: more than {} maps in one, allowed: fewer", place_of(map, source), kMostMerged);
  merged.push_back(map);
  std::set<std::string> before;
  for (const auto& entry : entries)
    if (entry.first.IsScalar()) before.insert(entry.first.Scalar());
  YAML::Node merge;
  for (const auto& entry : map) {
    if (!is_merge(entry.first)) {
      if (!entry.first.IsScalar() || !before.contains(entry.first.Scalar()))
        entries.emplace_back(entry.first, entry.second);
      continue;
    }
    if (!merge.IsNull())
      refuse("{}: <<: given twice (name several maps in a list)", place_of(entry.first, source));
    merge.reset(entry.second);
    const bool maps =
        merge.IsMap() || (merge.IsSequence() &&
                          std::all_of(merge.begin(), merge.end(), [](const auto& m) { return m.IsMap(); }));
    if (!maps)
      refuse("{}: <<: found {}, allowed: a map or a list of maps, as in `<<: *base`",
             place_of(entry.first, source), found(merge));
  }
  if (merge.IsMap()) add_entries(merge, source, merged, entries);
  if (merge.IsSequence())
    for (const YAML::Node& one : merge) add_entries(one, source, merged, entries);
}

/// Stores the values of a map, and notes where they were set. `prefix` is "" at the top of a document and
/// "model." or "model.span." further down.
void read_map(const YAML::Node& map, const std::string& prefix, Config& config, Origins& origins) {
  Entries entries;
  std::vector<YAML::Node> merged;
  add_entries(map, origins.source, merged, entries);
  for (const auto& [name, value] : entries) {
    const std::string place = place_of(name, origins.source);
    if (prefix.empty() && name.IsScalar() && name.Scalar().starts_with("x-"))
      continue;  // a place for anchors
    if (!name.IsScalar()) refuse("{}: found {} for a key, allowed: a name", place, found(name));
    const std::string path = prefix + name.Scalar();
    const bool section = is_section(path);
    const Key* const key = find_key(path);
    if (!section && key == nullptr) refuse_unknown(place, path);
    const auto [first, is_new] = origins.file.emplace(path, place);
    if (!is_new) refuse("{}: {}: given twice, first at {}", place, path, first->second);
    if (!section)
      store(*key, value, place, config);
    else if (value.IsMap())
      read_map(value, path + ".", config, origins);
    else if (!value.IsNull())  // a section whose keys are all commented out is null, and empty
      refuse("{}: {}: found {}, allowed: a map of keys", place, path, found(value));
  }
}

/// Ignores the events of a parser.
struct IgnoreEvents final : YAML::EventHandler {
  using Mark = YAML::Mark;
  using Style = YAML::EmitterStyle::value;
  void OnDocumentStart(const Mark&) override {}
  void OnDocumentEnd() override {}
  void OnNull(const Mark&, YAML::anchor_t) override {}
  void OnAlias(const Mark&, YAML::anchor_t) override {}
  void OnScalar(const Mark&, const std::string&, YAML::anchor_t, const std::string&) override {}
  void OnSequenceStart(const Mark&, const std::string&, YAML::anchor_t, Style) override {}
  void OnSequenceEnd() override {}
  void OnMapStart(const Mark&, const std::string&, YAML::anchor_t, Style) override {}
  void OnMapEnd() override {}
};

/// Whether anything follows the first document. (YAML::LoadAll would not return for text that cannot start a
/// document, as the comma of "a:\n , b": it yields empty documents forever.)
bool more_than_one(const std::string& text) {
  std::istringstream stream(text);
  YAML::Parser parser(stream);
  IgnoreEvents ignore;
  return parser.HandleNextDocument(ignore) && parser.HandleNextDocument(ignore);
}

YAML::Node parse_document(std::string_view text, const std::string& source) {
  if (const size_t bad = find_invalid_utf8(text); bad != std::string_view::npos)
    refuse(
        "{}:{}: not UTF-8: found byte 0x{:02x} (save the file as UTF-8; --set data.path=FILE takes any bytes)",
        source, 1 + std::count(text.begin(), text.begin() + static_cast<ptrdiff_t>(bad), '\n'),
        static_cast<unsigned char>(text[bad]));
  YAML::Node root;
  bool more = false;
  try {
    const std::string copy(text);
    root = YAML::Load(copy);
    more = more_than_one(copy);
  } catch (const YAML::Exception& error) {
    refuse("{}:{}: not YAML: {}", source, error.mark.line + 1, error.msg);
  }
  if (more) refuse("{}: found more after the end of a YAML document, allowed: one document", source);
  if (root.IsNull())
    refuse("{}: empty (a configuration sets at least data.path; configs/ holds examples)", source);
  if (!root.IsMap())
    refuse("{}:{}: found {}, allowed: a map of sections, as in `model: {{hidden: 256}}`", source,
           root.Mark().line + 1, found(root));
  return root;
}

/// Stores one "key.path=value".
void apply_override(const std::string& text, Config& config, Origins& origins) {
  const std::string place = fmt::format("--set {}", shown(text));
  const size_t equals = text.find('=');
  if (equals == std::string::npos) refuse("{}: found no '=', allowed: key.path=value", place);
  if (equals == 0) refuse("{}: found no key, allowed: key.path=value", place);
  const std::string path = text.substr(0, equals), value = text.substr(equals + 1);
  if (is_section(path)) refuse("{}: {} is a section (set one of its keys)", place, path);
  const Key* const key = find_key(path);
  if (key == nullptr) refuse_unknown(place, path);
  origins.overrides[path] = place;
  // Text is taken verbatim, so that a path may contain characters that mean something in YAML.
  if (std::holds_alternative<Member<std::string>>(key->field))
    return store(*key, YAML::Node(value), place, config);
  YAML::Node node;
  try {
    node = YAML::Load(value);
  } catch (const YAML::Exception&) {
    refuse("{}: {}: found {}, allowed: {}", place, path, shown(value), allowed_values(*key));
  }
  store(*key, node, place, config);
}

/// Refuses a text where a configuration was expected: an error of the YAML in it would only confuse.
void refuse_text(const std::string& path, const std::string& text) {
  bool map = false;
  try {
    map = YAML::Load(text).IsMap();
  } catch (const YAML::Exception&) {
  }
  if (!map && !text.empty())
    refuse("{}: not a configuration, which is YAML named .yaml (fade train takes a text, too)", path);
}

}  // namespace

Config parse_config(std::string_view text, const std::string& source,
                    const std::vector<std::string>& overrides) {
  Config config;
  Origins origins{source};
  read_map(parse_document(text, source), "", config, origins);
  for (const std::string& override : overrides) apply_override(override, config, origins);
  if (!origins.has("model.span.init")) config.model.span.init = kind_info(config.model.kind).initial_span;
  config.model.vocab = config.data.vocab;
  check_config(config, origins);
  return config;
}

const std::string* find_override(const std::vector<std::string>& overrides, std::string_view key) {
  const auto it = std::ranges::find_if(overrides, [&](std::string_view override) {
    return override.starts_with(key) && override.substr(key.size()).starts_with('=');
  });
  return it == overrides.end() ? nullptr : &*it;
}

bool reads_as_config(const std::string& text) {
  YAML::Node root;
  try {
    root = YAML::Load(text);
  } catch (const YAML::Exception&) {
    return false;
  }
  if (!root.IsMap() || root.size() == 0) return false;
  return std::all_of(root.begin(), root.end(), [](const auto& entry) {
    return entry.first.IsScalar() && (is_section(entry.first.Scalar()) || find_key(entry.first.Scalar()));
  });
}

Config load_config(const std::string& path, const std::vector<std::string>& overrides) {
  constexpr size_t kMaxSize = 1 << 20;
  Input file(
      path, {.if_missing = "give a YAML configuration; configs/ holds examples", .most_in_memory = kMaxSize});
  if (file.size() > kMaxSize) refuse("{}: longer than {} bytes (is this a configuration?)", path, kMaxSize);
  const std::string text = file.read_all();
  if (!is_configuration_name(path)) refuse_text(path, text);
  Config config = parse_config(text, file.name(), overrides);
  find_corpus(config.data, std::filesystem::path(path).parent_path());
  return config;
}

std::string to_yaml(const Config& config) {
  std::string yaml;
  std::vector<std::string_view> open;  // the sections of the previous key
  for (const Key& key : config_keys()) {
    const auto sections = sections_of(key.path);
    for (size_t depth = 0; depth < sections.size(); ++depth)
      if (depth >= open.size() || sections[depth] != open[depth])
        yaml += fmt::format("{:{}}{}:\n", "", 2 * depth, last_part(sections[depth]));
    open = sections;
    yaml +=
        fmt::format("{:{}}{}: {}\n", "", 2 * sections.size(), last_part(key.path), value_text(key, config));
  }
  return yaml;
}

}  // namespace fade
