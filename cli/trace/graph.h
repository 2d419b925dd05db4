// The tape as a picture: a graph in the language of Graphviz, and Graphviz's rendering of it.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "engine/step_trace.h"

namespace fade {

/// A directed graph in the DOT language: a box per node of the tape, the darker the more of the step's time it
/// takes; an arrow from each node to those that read its result; and a frame around each part of the model.
/// `by_module`: of rows as folded() makes them, a box per part. The tensors of `data` are ellipses. Parameters
/// are only named, in the tooltips of the boxes that read them.
std::string dot_graph(const std::vector<TraceRow>& rows, const std::vector<NamedTensor>& data,
                      bool by_module);

/// Where the picture of a graph goes: beside the file, with the ending .svg. Empty for standard output and for
/// what is no regular file.
std::filesystem::path picture_beside(const std::filesystem::path& graph);

/// Draws the graph in the file as an SVG document with Graphviz's program `dot`. Returns why there is no picture, with a
/// remedy; an empty text when it is there. Throws Error when the picture cannot be written.
std::string draw(const std::filesystem::path& graph, const std::filesystem::path& picture);

}  // namespace fade
