#include "cli/trace/graph.h"

#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <map>
#include <set>

#include "cli/trace/trace.h"
#include "engine/io/output.h"
#include "train/figure.h"

namespace fade {
namespace fs = std::filesystem;
namespace {

// `share` is of the largest node's time. The tooltip's lines are `more`.
std::string box(size_t i, const TraceRow& row, double share, const std::string& name,
                const std::string& more) {
  return fmt::format(
      "n{} [label=\"{}\\n{}\\n{} + {} ms, {} MiB\", tooltip=\"{}\", fillcolor=\"0.08 {:.3f} 1.0\"];\n", i,
      name, row.shape.str(), figure(row.forward_ms, 2), figure(row.backward_ms, 2),
      figure(static_cast<double>(row.saved_bytes) / (1 << 20), 2), more, share);
}

// What dot writes for the graph; its exit code in `status`, or the reason why it did not run in `reason`.
struct Drawing {
  std::string svg, reason;
  int status = 0;
};

Drawing run_dot(const fs::path& graph) {
  std::array<int, 2> pipe_ends{};
  if (::pipe2(pipe_ends.data(), O_CLOEXEC) != 0) return {{}, std::strerror(errno), 0};
  const Descriptor from(pipe_ends[0]);
  Descriptor to(pipe_ends[1]);
  posix_spawn_file_actions_t actions;
  ::posix_spawn_file_actions_init(&actions);
  ::posix_spawn_file_actions_adddup2(&actions, to.get(), STDOUT_FILENO);
  ::posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
  constexpr int messages = 2;  // dot's, about fonts, would be taken for fade's
  ::posix_spawn_file_actions_addopen(&actions, messages, "/dev/null", O_WRONLY, 0);
  std::string program = "dot", format = "-Tsvg", file = fs::absolute(graph).string();
  std::array<char*, 4> arguments = {program.data(), format.data(), file.data(), nullptr};
  pid_t child = 0;
  const int error = ::posix_spawnp(&child, "dot", &actions, nullptr, arguments.data(), environ);
  ::posix_spawn_file_actions_destroy(&actions);
  if (error != 0) return {{}, std::strerror(error), 0};
  to = Descriptor();  // the end of dot's output is then the end of the pipe
  Drawing drawing;
  std::array<char, 1 << 16> part{};
  for (;;) {
    const ssize_t n = ::read(from.get(), part.data(), part.size());
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) break;
    drawing.svg.append(part.data(), static_cast<size_t>(n));
  }
  while (::waitpid(child, &drawing.status, 0) < 0 && errno == EINTR) {
  }
  return drawing;
}

}  // namespace

std::string dot_graph(const std::vector<TraceRow>& rows, const std::vector<NamedTensor>& data,
                      bool by_module) {
  std::set<std::string> drawn;
  for (const NamedTensor& d : data) drawn.insert(d.name);
  double largest = 1e-9;  // ms
  for (const TraceRow& row : rows)
    if (row.on_tape) largest = std::max(largest, row.forward_ms + row.backward_ms);

  std::vector<std::pair<std::string, std::string>> frames;  // names and boxes
  std::map<std::string, size_t> frame_of;
  std::set<std::string> ellipses;
  std::string arrows;
  for (size_t i = 0; i < rows.size(); ++i) {
    const TraceRow& row = rows[i];
    if (!row.on_tape) continue;
    std::string tooltip = by_module ? row.op : row.module;
    for (const TraceInput& in : row.inputs) {
      if (const size_t* const from = std::get_if<size_t>(&in)) {
        arrows += fmt::format("  n{} -> n{};\n", *from, i);
        continue;
      }
      const std::string& name = std::get<std::string>(in);
      tooltip += "\\n" + name;
      if (!drawn.contains(name)) continue;
      ellipses.insert(name);
      arrows += fmt::format("  \"{}\" -> n{};\n", name, i);
    }
    const std::string part = part_of_model(row.module);
    if (frame_of.try_emplace(part, frames.size()).second) frames.emplace_back(part, "");
    frames[frame_of[part]].second +=
        "    " + box(i, row, (row.forward_ms + row.backward_ms) / largest,
                     by_module ? row.module : fmt::format("{} {}", i, row.op), tooltip);
  }

  std::string text =
      "digraph step {\n  graph [fontname=\"sans-serif\"];\n"
      "  node [shape=box, style=\"filled,rounded\", fontname=\"sans-serif\", fontsize=10, fillcolor=white];\n";
  for (size_t f = 0; f < frames.size(); ++f)
    text += by_module ? frames[f].second
                      : fmt::format("  subgraph cluster_{} {{\n    label=\"{}\"; color=gray;\n{}  }}\n", f,
                                    frames[f].first, frames[f].second);
  for (const std::string& name : ellipses) text += fmt::format("  \"{}\" [shape=ellipse];\n", name);
  return text + arrows + "}\n";
}

fs::path picture_beside(const fs::path& graph) {
  std::error_code ignored;
  if (is_standard_output(graph) || (fs::exists(graph, ignored) && !fs::is_regular_file(graph, ignored)))
    return {};
  return fs::path(graph).replace_extension(".svg");
}

std::string draw(const fs::path& graph, const fs::path& picture) {
  const Drawing drawing = run_dot(graph);
  if (!drawing.reason.empty())
    return fmt::format("dot cannot be run: {} (it is in the package graphviz)", drawing.reason);
  if (!WIFEXITED(drawing.status) || WEXITSTATUS(drawing.status) != 0)
    return fmt::format("dot failed (dot -Tsvg {} says why)", graph.string());
  write_file_atomically(picture, drawing.svg);
  return "";
}

}  // namespace fade
