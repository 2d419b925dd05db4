#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>

#include "cli/spans/output.h"
#include "cli/spans/words.h"
#include "engine/error.h"
#include "engine/io/utf8.h"
#include "models/kinds.h"
#include "train/figure.h"

namespace fade {
namespace {

// Colours of the 256-colour palette from the shortest span to the longest, and of the letters on them.
struct Shade {
  int paper, ink;
};
constexpr auto kShades = std::to_array<Shade>(
    {{17, 252}, {18, 255}, {24, 255}, {30, 255}, {36, 16}, {72, 16}, {114, 16}, {156, 16}, {227, 16}});

// Spans are spread over the shades by their logarithm: most are short.
struct Scale {
  double longest;
  size_t shade(double span) const {
    const double x = std::log1p(span) / std::log1p(std::max(longest, 1.0));
    const auto steps = static_cast<double>(kShades.size());
    return static_cast<size_t>(std::clamp(std::floor(x * steps), 0.0, steps - 1));
  }
  // The shortest span of a shade.
  double from(size_t shade) const {
    return std::expm1(std::log1p(std::max(longest, 1.0)) * static_cast<double>(shade) / kShades.size());
  }
};

// True for a character that takes no place or moves others: marks of direction, separators, and joiners.
bool moves_others(std::string_view c) {
  if (c.size() < 3) return c == "\xd8\x9c";  // U+061C, the Arabic letter mark
  const auto byte = [&](size_t i) { return static_cast<unsigned char>(c[i]); };
  if (c.size() == 4) return byte(0) == 0xf3;  // U+C0000 and above
  const unsigned code = (byte(0) & 15u) << 12 | (byte(1) & 63u) << 6 | (byte(2) & 63u);
  return (code >= 0x200b && code <= 0x200f) || (code >= 0x2028 && code <= 0x202e) ||
         (code >= 0x2060 && code <= 0x206f) || code == 0xfeff || (code >= 0xfff9 && code <= 0xfffb);
}

// A character as it is shown: itself, ↵ for a newline, or \xNN for bytes that a terminal would obey.
std::string shown_character(std::string_view c) {
  if (c == "\n") return "↵";
  if (!moves_others(c)) return printable(c);
  std::string out;
  for (const char byte : c) out += fmt::format("\\x{:02x}", static_cast<unsigned char>(byte));
  return out;
}

std::string on(size_t shade, const std::string& text) {
  return fmt::format("\x1b[38;5;{};48;5;{}m{}\x1b[0m", kShades[shade].ink, kShades[shade].paper, text);
}

std::string painted(const SpanReading& reading, const std::vector<double>& spans, const Scale& scale) {
  const std::string_view text(reinterpret_cast<const char*>(reading.text.data()), reading.text.size());
  std::string out, run;
  size_t shade = 0;
  const auto flush = [&] {
    if (!run.empty()) out += on(shade, run);
    run.clear();
  };
  for (size_t at = 0; at < text.size();) {
    const size_t length = std::max<size_t>(1, first_character(text.substr(at)));
    double sum = 0;
    for (size_t i = at; i < at + length; ++i) sum += spans[i];
    const size_t its = scale.shade(sum / static_cast<double>(length));
    if (its != shade) flush();
    shade = its;
    run += shown_character(text.substr(at, length));
    if (text[at] == '\n') {
      flush();
      out += '\n';
    }
    at += length;
  }
  flush();
  return out += text.ends_with('\n') ? "" : "\n";
}

double mean_of(std::span<const double> values) {
  double sum = 0;
  for (const double value : values) sum += value;
  return sum / static_cast<double>(values.size());
}

// The first byte has no loss.
double mean_loss(std::span<const double> bits) { return mean_of(bits.subspan(1)); }

// The words with the longest and the shortest mean span, of those that occur twice or more.
std::string longest_and_shortest(const SpanReading& reading, const std::vector<double>& spans) {
  const std::vector<WordSpan> found = words_by_span(reading.text, spans, 2);
  if (found.empty() || kind_info(reading.model.kind).spans != Spans::of_rows) return "";
  const auto list = [&](auto begin, auto end) {
    std::string out;
    for (auto word = begin; word != end; ++word)
      out += fmt::format("  {} {}", shown(word->text), figure(word->mean, 1));
    return out;
  };
  const auto some = static_cast<std::ptrdiff_t>(std::min<size_t>(8, found.size()));
  return fmt::format("longest kept words:     {}\nfastest forgotten words:{}\n",
                     list(found.begin(), found.begin() + some), list(found.rbegin(), found.rbegin() + some));
}

}  // namespace

LayerChoice LayerChoice::parse(const std::string& text, int layers) {
  if (text == "mean") return {mean};
  if (text == "max") return {maximum};
  const bool digits = !text.empty() && text.size() < 8 &&
                      std::ranges::all_of(text, [](char c) { return c >= '0' && c <= '9'; });
  if (!digits || std::stoi(text) >= layers)
    refuse("--layer: found {}, allowed: mean | max | a layer from 0 to {}",
           text.empty() ? "nothing" : shown(text), layers - 1);
  return {one, static_cast<size_t>(std::stoi(text))};
}

std::vector<double> LayerChoice::spans(const SpanReading& reading) const {
  if (kind == one) return reading.span[layer];
  std::vector<double> out(reading.text.size(), 0);
  for (const std::vector<double>& of_layer : reading.span)
    for (size_t i = 0; i < out.size(); ++i)
      out[i] = kind == maximum ? std::max(out[i], of_layer[i])
                               : out[i] + of_layer[i] / static_cast<double>(reading.layers());
  return out;
}

std::string LayerChoice::name() const {
  return kind == one    ? fmt::format("layer {}", layer)
         : kind == mean ? "mean over layers"
                        : "maximum over layers";
}

std::string span_sentence(const SpanReading& reading) {
  const int S = reading.model.max_span;
  switch (kind_info(reading.model.kind).spans) {
    case Spans::of_rows:
      return fmt::format("each row has a span of its own, of at most {} positions, and then a ramp of {}", S,
                         reading.model.span.ramp);
    case Spans::of_heads:
      return fmt::format("{}: each head has a span, the same for all rows; the longest of a layer is shown",
                         kind_info(reading.model.kind).name);
    case Spans::none:
      break;
  }
  return fmt::format("{}: no spans; every row is seen for {} positions{}", kind_info(reading.model.kind).name,
                     S, reading.model.kind == Kind::compressive ? ", and then in a slot" : "");
}

std::string spans_ansi(const SpanReading& reading, const LayerChoice& layers) {
  const std::vector<double> spans = layers.spans(reading);
  const Scale scale{std::ranges::max(spans)};
  std::string out = painted(reading, spans, scale) + '\n' + layers.name() + ":";
  for (size_t shade = 0; shade < kShades.size(); ++shade)
    out += ' ' + on(shade, fmt::format(" {:.3g} ", scale.from(shade)));
  out += fmt::format("  positions\n{}\n", span_sentence(reading));
  for (size_t l = 0; l < reading.layers(); ++l)
    out +=
        fmt::format("{}layer {} {}", l == 0 ? "mean span: " : ", ", l, figure(mean_of(reading.span[l]), 1));
  out += '\n' + longest_and_shortest(reading, spans);
  if (reading.text.size() < 2) return out;
  out += fmt::format("bits per byte: {}", figure(mean_loss(reading.loss_bits), 4));
  for (const MemoryCut& cut : reading.memory_cut)
    out += fmt::format("; with memory cut to {}: {}", cut.rows, figure(mean_loss(cut.loss_bits), 4));
  return out + '\n';
}

}  // namespace fade
