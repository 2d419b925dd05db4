// Plots as SVG documents of shapes and text: lines with markers, and panels of bars. How a line or a row of
// bars looks is its style, a number: one of eight colours and of four markers.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

namespace fade {

struct PlotPoint {
  double x, y;
  std::string label = {};  ///< written next to the point; may be empty
};

struct PlotLine {
  std::string name;  ///< in the legend
  size_t style;
  std::vector<PlotPoint> points;  ///< joined in this order; one that is not finite leaves a gap
};

struct PlotAxis {
  std::string title;
  bool logarithmic = false;                  ///< values above 0 only
  std::vector<std::string> categories = {};  ///< names of 0, 1, ..; without any the axis has numbers
};

/// Lines with markers, axes with round numbers that cover the points, and a legend → an SVG document.
std::string line_plot(const std::string& title, const PlotAxis& x, const PlotAxis& y,
                      const std::vector<PlotLine>& lines);

struct BarPanel {
  std::string title;
  int decimals = 0;  ///< of the number written next to each bar, at least
  /// false: a dot on an axis that begins near the smallest value, for values that differ little.
  bool from_zero = true;
  std::vector<double> values = {};      ///< one per row; NaN leaves the row empty
  std::vector<double> deviations = {};  ///< of the values, drawn where above 0; one per row, or none
};

/// Adjacent panels that share their rows → an SVG document.
std::string bar_panels(const std::string& title, const std::vector<std::string>& rows,
                       const std::vector<size_t>& styles, const std::vector<BarPanel>& panels);

}  // namespace fade
