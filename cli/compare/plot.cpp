#include "cli/compare/plot.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <string_view>

#include "cli/page/page.h"
#include "engine/io/utf8.h"
#include "train/figure.h"

namespace fade {
namespace {

// Okabe and Ito's colours, which most colour-blind readers can tell apart; the markers differ, too.
constexpr std::array<std::string_view, 8> kColours = {"#0072b2", "#d55e00", "#009e73", "#aa4499",
                                                      "#8a6d00", "#56b4e9", "#444444", "#e69f00"};

std::string_view colour(size_t style) { return kColours[style % kColours.size()]; }

// A document in pixels, written element by element.
class Svg {
 public:
  Svg(double width, double height, const std::string& title) {
    body_ = fmt::format(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {0:.0f} {1:.0f}\" width=\"{0:.0f}\" "
        "height=\"{1:.0f}\" font-family=\"sans-serif\" font-size=\"12\">\n<title>{2}</title>\n"
        "<rect width=\"{0:.0f}\" height=\"{1:.0f}\" fill=\"white\"/>\n",
        width, height, escaped(title));
    text(16, 24, title, "start", "#111111", " font-size=\"15\"");
  }

  void text(double x, double y, std::string_view words, std::string_view anchor,
            std::string_view fill = "#333333", std::string_view more = "") {
    body_ += fmt::format("<text x=\"{:.1f}\" y=\"{:.1f}\" text-anchor=\"{}\" fill=\"{}\"{}>{}</text>\n", x, y,
                         anchor, fill, more, escaped(words));
  }
  void segment(double x1, double y1, double x2, double y2, std::string_view stroke, double width = 1) {
    body_ += fmt::format(
        "<line x1=\"{:.1f}\" y1=\"{:.1f}\" x2=\"{:.1f}\" y2=\"{:.1f}\" stroke=\"{}\" stroke-width=\"{}\"/>\n",
        x1, y1, x2, y2, stroke, width);
  }
  void bar(double x, double y, double width, double height, std::string_view fill) {
    body_ += fmt::format("<rect x=\"{:.1f}\" y=\"{:.1f}\" width=\"{:.1f}\" height=\"{:.1f}\" fill=\"{}\"/>\n",
                         x, y, width, height, fill);
  }
  void path(std::string_view d, std::string_view attributes) {
    body_ += fmt::format("<path d=\"{}\" {}/>\n", d, attributes);
  }
  /// A circle, square, triangle or diamond around (x, y).
  void marker(double x, double y, size_t style) {
    const std::string fill = fmt::format("fill=\"{}\" stroke=\"white\"", colour(style));
    const auto outline = [&](double dx, double dy, std::string_view rest) {
      path(fmt::format("M{:.1f} {:.1f}{}", x + dx, y + dy, rest), fill);
    };
    switch (style % 4) {
      case 0:
        body_ += fmt::format("<circle cx=\"{:.1f}\" cy=\"{:.1f}\" r=\"4.5\" {}/>\n", x, y, fill);
        break;
      case 1:
        outline(-4.5, -4.5, "h9v9h-9z");
        break;
      case 2:
        outline(0, -4.5, "l4.5 9h-9z");
        break;
      default:
        outline(0, -5.5, "l5.5 5.5l-5.5 5.5l-5.5 -5.5z");
    }
  }
  std::string str() const { return body_ + "</svg>\n"; }

 private:
  std::string body_;
};

bool is_finite(const PlotPoint& p) { return std::isfinite(p.x) && std::isfinite(p.y); }

// The distance between about `count` ticks: 1, 2 or 5 times a power of ten.
double round_step(double span, int count) {
  const double raw = span / count, power = std::pow(10, std::floor(std::log10(raw)));
  for (const double factor : {1.0, 2.0, 5.0})
    if (raw <= factor * power * 1.0000001) return factor * power;
  return 10 * power;
}

struct Tick {
  double value;
  std::string text;
};

// Values to pixels, with ticks on round numbers.
class AxisScale {
 public:
  AxisScale(const PlotAxis& axis, std::vector<double> values, double from, double to) : from_(from), to_(to) {
    if (!axis.categories.empty()) {
      low_ = -0.5;
      high_ = axis.categories.size() - 0.5;
      for (size_t i = 0; i < axis.categories.size(); ++i)
        ticks_.push_back({static_cast<double>(i), axis.categories[i]});
      return;
    }
    std::erase_if(values, [](double v) { return !std::isfinite(v); });
    if (values.empty()) values = {0, 1};
    const auto [least, most] = std::ranges::minmax(values);
    if (axis.logarithmic)
      powers_of_two(least, most);
    else
      round_numbers(least, most);
  }

  double operator()(double value) const {
    const double v = logarithmic_ ? std::log2(value) : value;
    return from_ + (v - low_) / (high_ - low_) * (to_ - from_);
  }
  const std::vector<Tick>& ticks() const { return ticks_; }

 private:
  void round_numbers(double least, double most) {
    const double room = most > least ? most - least : std::max(std::abs(most), 1.0) * 0.1;
    const double step = round_step(room * 1.1, 5);
    low_ = std::floor((least - 0.05 * room) / step) * step;
    if (least >= 0) low_ = std::max(low_, 0.0);
    high_ = std::ceil((most + 0.05 * room) / step) * step;
    const int decimals = std::max(0, static_cast<int>(-std::floor(std::log10(step) + 1e-9)));
    for (int i = 0; i <= std::lround((high_ - low_) / step); ++i) {
      const double t = low_ + i * step;
      ticks_.push_back({t, fmt::format("{:.{}f}", t, decimals)});
    }
  }
  void powers_of_two(double least, double most) {
    logarithmic_ = true;
    low_ = std::floor(std::log2(least) - 0.05);
    high_ = std::max(std::ceil(std::log2(most) + 0.05), low_ + 1);
    for (int exponent = static_cast<int>(low_); exponent <= high_; ++exponent)
      ticks_.push_back({std::exp2(exponent), fmt::format("{:g}", std::exp2(exponent))});
  }

  double from_, to_, low_ = 0, high_ = 1;
  bool logarithmic_ = false;
  std::vector<Tick> ticks_;
};

}  // namespace

std::string line_plot(const std::string& title, const PlotAxis& x, const PlotAxis& y,
                      const std::vector<PlotLine>& lines) {
  constexpr double kWidth = 680, kHeight = 420, kLeft = 72, kRight = 660, kTop = 48, kBottom = 364;
  std::vector<double> xs, ys;
  for (const PlotLine& line : lines)
    for (const PlotPoint& p : line.points) {
      xs.push_back(p.x);
      ys.push_back(p.y);
    }
  const double legend = 18 * std::ceil(lines.size() / 2.0);
  Svg svg(kWidth, kHeight + legend, title);
  const AxisScale across(x, xs, kLeft, kRight), up(y, ys, kBottom, kTop);
  for (const Tick& t : up.ticks()) {
    svg.segment(kLeft, up(t.value), kRight, up(t.value), "#e4e4e4");
    svg.text(kLeft - 8, up(t.value) + 4, t.text, "end");
  }
  for (const Tick& t : across.ticks()) {
    svg.segment(across(t.value), kBottom, across(t.value), kBottom + 5, "#888888");
    svg.text(across(t.value), kBottom + 20, t.text, "middle");
  }
  svg.segment(kLeft, kBottom, kRight, kBottom, "#888888");
  svg.text((kLeft + kRight) / 2, kBottom + 42, x.title, "middle");
  constexpr double kTitle = 20, kMiddle = (kTop + kBottom) / 2;
  svg.text(kTitle, kMiddle, y.title, "middle", "#333333",
           fmt::format(" transform=\"rotate(-90 {:.1f} {:.1f})\"", kTitle, kMiddle));

  for (size_t l = 0; l < lines.size(); ++l) {
    const PlotLine& line = lines[l];
    std::string d;
    bool gap = true;
    for (const PlotPoint& p : line.points) {
      const bool shown = is_finite(p);
      if (shown) d += fmt::format("{}{:.1f} {:.1f}", gap ? "M" : "L", across(p.x), up(p.y));
      gap = !shown;
    }
    svg.path(d, fmt::format("fill=\"none\" stroke=\"{}\" stroke-width=\"2\"", colour(line.style)));
    for (const PlotPoint& p : line.points) {
      if (!is_finite(p)) continue;
      svg.marker(across(p.x), up(p.y), line.style);
      if (!p.label.empty())
        svg.text(across(p.x) + 7, up(p.y) - 7, p.label, "start", colour(line.style), " font-size=\"10\"");
    }
    const double at = kLeft + (l % 2 ? 300 : 0), row = kHeight + 18 * std::floor(l / 2.0);
    svg.segment(at, row, at + 22, row, colour(line.style), 2);
    svg.marker(at + 11, row, line.style);
    svg.text(at + 30, row + 4, line.name, "start");
  }
  return svg.str();
}

std::string bar_panels(const std::string& title, const std::vector<std::string>& rows,
                       const std::vector<size_t>& styles, const std::vector<BarPanel>& panels) {
  constexpr double kRowHeight = 26, kTop = 66, kPanelWidth = 190, kGap = 24, kNumberWidth = 52;
  size_t longest = 0;
  for (const std::string& row : rows) longest = std::max(longest, utf8_length(printable(row)));
  const double left = 24.0 + 7 * longest, bottom = kTop + kRowHeight * rows.size();
  Svg svg(left + panels.size() * (kPanelWidth + kGap), bottom + 34, title);
  for (size_t r = 0; r < rows.size(); ++r)
    svg.text(left - 10, kTop + kRowHeight * (r + 0.5) + 4, rows[r], "end");
  for (size_t p = 0; p < panels.size(); ++p) {
    const BarPanel& panel = panels[p];
    const double begin = left + p * (kPanelWidth + kGap);
    std::vector<double> values = panel.values;
    if (panel.from_zero) values.push_back(0);
    const auto deviation = [&](size_t row) { return panel.deviations.empty() ? 0 : panel.deviations[row]; };
    for (size_t r = 0; r < panel.values.size(); ++r)
      for (const int sign : {-1, 1}) values.push_back(panel.values[r] + sign * deviation(r));
    const AxisScale across({panel.title}, values, begin, begin + kPanelWidth - kNumberWidth);
    svg.text(begin, kTop - 12, panel.title, "start", "#111111");
    for (const Tick& t : across.ticks()) {
      svg.segment(across(t.value), kTop, across(t.value), bottom, "#e4e4e4");
      if (&t == &across.ticks().front() || &t == &across.ticks().back())
        svg.text(across(t.value), bottom + 16, t.text, "middle", "#666666", " font-size=\"10\"");
    }
    svg.segment(begin, kTop, begin, bottom, "#888888");
    for (size_t r = 0; r < panel.values.size(); ++r) {
      const double value = panel.values[r], middle = kTop + kRowHeight * (r + 0.5);
      if (!std::isfinite(value)) continue;
      const double low = across(value - deviation(r)), high = across(value + deviation(r));
      if (panel.from_zero)
        svg.bar(begin, middle - 8, across(value) - begin, 16, colour(styles[r]));
      else
        svg.marker(across(value), middle, styles[r]);
      if (deviation(r) > 0) {
        svg.segment(low, middle, high, middle, colour(styles[r]), 2);
        for (const double end : {low, high})
          svg.segment(end, middle - 5, end, middle + 5, colour(styles[r]), 2);
      }
      svg.text(high + 8, middle + 4, figure(value, panel.decimals), "start");
    }
  }
  return svg.str();
}

}  // namespace fade
