// The layering and the index of operations are as documented: includes point left, and the index is complete.
#include <algorithm>
#include <boost/test/unit_test.hpp>
#include <filesystem>
#include <map>
#include <regex>
#include <set>

#include "engine/tape.h"
#include "tests/ops/op_case.h"
#include "tests/source_files.h"

namespace fade::test {
namespace {

namespace fs = std::filesystem;

bool is_source(const fs::path& file) {
  const std::string name = file.filename().string(), extension = file.extension().string();
  return (extension == ".h" || extension == ".cpp" || extension == ".cu" || extension == ".cuh") &&
         name.find("_cases.cpp") == std::string::npos;  // those belong to the tests
}

size_t position(const std::string& layer) {
  return static_cast<size_t>(std::find(kLayers.begin(), kLayers.end(), layer) - kLayers.begin());
}

// What is wrong with an #include in a file of `layer`; empty if nothing is.
std::string complaint(const std::string& layer, const std::string& included) {
  const size_t slash = included.find('/');
  if (slash == std::string::npos) return "is not written from the root";
  const std::string target = included.substr(0, slash);
  if (position(target) == kLayers.size())
    return fs::exists(kRoot / target) ? "is of no layer" : "";  // or a library's header
  if (position(target) > position(layer)) return "points right: " + layer + " must not know " + target;
  return "";
}

struct Row {
  std::string folder, test;  ///< test: of a function without a gradient, path from ops/; else empty
  int line;
};

// Rows "| `name` | [folder](folder/...) | ..." of the index. In the table of functions without a gradient the
// last column is "| [X_test.cpp](../tests/...) |".
std::map<std::string, Row> index_rows() {
  const std::regex row(R"(^\| `([a-z0-9_]+)` \| \[([a-z0-9_]+)\]\(([^)]+)\) \|.*)");
  const std::regex tested(R"(\[[a-z_]+_test\.cpp\]\((\.\./tests/[^)]+)\) \|$)");
  std::map<std::string, Row> rows;
  for_lines(kRoot / "ops/README.md", [&](int number, const std::string& line) {
    std::smatch m;
    if (!std::regex_match(line, m, row)) return;
    std::smatch of_test;
    std::regex_search(line, of_test, tested);
    const Row found{m[2], of_test.empty() ? std::string() : of_test[1].str(), number};
    BOOST_TEST(rows.emplace(m[1], found).second, "ops/README.md:" << number << ": a second row");
    for (const std::string& link : {m[3].str(), found.test})
      BOOST_TEST(fs::exists(kRoot / "ops" / link),
                 "ops/README.md:" << number << ": the link leads nowhere: " << link);
  });
  return rows;
}

// Folders of each operation, by the nodes that the cases record.
std::map<std::string, std::set<std::string>> recorded_operations() {
  std::map<std::string, std::set<std::string>> folders;
  for (const OpCase& c : op_cases()) {
    Tape tape;
    const Recording on(tape);
    const Tensor y = c.run(input_tensors(c, input_values(c), DType::f64, Device::cpu));
    for (size_t i = 0; i < tape.size(); ++i) folders[tape.node(i).op->name].insert(c.folder);
  }
  return folders;
}

// The functions in the last column of the table of operations in docs/from_pytorch.md: `name` or `name(...)`.
std::set<std::string> operations_for_users_of_pytorch() {
  const std::regex function("`([a-z][a-z0-9_]*)(`|\\()");
  std::set<std::string> names;
  bool in_table = false;
  for_lines(kRoot / "docs/from_pytorch.md", [&](int, const std::string& line) {
    if (line.starts_with("## ")) in_table = line == "## Operations";
    if (!in_table || !line.starts_with("| ")) return;
    const std::string column = line.substr(line.rfind(" | ", line.size() - 3));
    for (std::sregex_iterator m(column.begin(), column.end(), function), end; m != end; ++m)
      names.insert((*m)[1]);
  });
  return names;
}

// The functions that the headers of operations declare.
std::set<std::string> declared_functions() {
  const std::regex declaration(
      R"(^(?:inline )?[A-Z][A-Za-z]+ ([a-z][a-z0-9_]*)\(.*|^std::vector<Tensor> ([a-z_]+)\(.*)");
  std::set<std::string> names;
  for (const fs::path& file : files_with({".h"})) {
    if (file.parent_path().parent_path() != kRoot / "ops") continue;
    for_lines(file, [&](int, const std::string& line) {
      std::smatch m;
      if (std::regex_match(line, m, declaration)) names.insert(m[1].length() ? m[1] : m[2]);
    });
  }
  return names;
}

// The folder of ops/ that a file belongs to.
std::string operation_of(const fs::path& file) {
  return (*std::next(fs::relative(file, kRoot).begin())).string();
}

// Kernels of one device only: these are the CPU's parts of matmul.
const std::set<std::string> kOneDevice{"gemm_cpu.cpp", "symmetric_cpu.cpp"};

std::string text_of(const fs::path& file) {
  std::string text;
  for_lines(file, [&](int, const std::string& line) { text += line + '\n'; });
  return text;
}

// What is wrong with a file of an operation, by its name and text (see the table of files in ops/README.md).
std::vector<std::string> convention_breaks(const fs::path& file, const std::string& text) {
  std::vector<std::string> wrong;
  const std::string name = file.filename().string(), operation = operation_of(file);
  const auto has = [&](const std::string& part) { return text.find(part) != std::string::npos; };
  const auto twin = [&](const std::string& from, const std::string& to) {
    if (!name.ends_with(from) || kOneDevice.count(name)) return;
    const std::string other = name.substr(0, name.size() - from.size()) + to;
    if (!fs::exists(file.parent_path() / other)) wrong.push_back("has no " + other);
    if (!has("#include \"ops/" + operation + '/' + operation + "_kernels.h\""))
      wrong.push_back("does not include " + operation + "_kernels.h");
  };
  twin("_cpu.cpp", "_cuda.cu");
  twin("_cuda.cu", "_cpu.cpp");
  if (name.ends_with("_kernels.h") != (name.ends_with(".h") && has("Kernel<void(")))
    wrong.push_back(name.ends_with("_kernels.h") ? "declares no kernel" : "declares a kernel");
  if (name.ends_with("_math.h") && has("Tensor")) wrong.push_back("knows tensors");
  for (const char* call : {"memcpy(", "memset(", "memmove(", "std::copy", "std::fill"})
    if (name.ends_with(".cu") && has(call))
      wrong.push_back(std::string("calls ") + call + ": racecheck does not see its accesses (write a loop)");
  return wrong;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(structure)

BOOST_AUTO_TEST_CASE(includes_point_left) {
  const std::regex include(R"re(^\s*#\s*include\s+"([^"]+)".*)re");
  int seen = 0;
  for (const std::string& layer : kLayers) {
    if (!fs::exists(kRoot / layer)) continue;
    for (const auto& entry : fs::recursive_directory_iterator(kRoot / layer)) {
      if (!entry.is_regular_file() || !is_source(entry.path())) continue;
      for_lines(entry.path(), [&](int number, const std::string& line) {
        std::smatch m;
        if (!std::regex_match(line, m, include)) return;
        ++seen;
        const std::string wrong = complaint(layer, m[1]);
        BOOST_TEST(wrong.empty(), place(entry.path(), number) << ": " << m[1] << ' ' << wrong);
      });
    }
  }
  BOOST_TEST(seen > 50);
}

// A write to standard error that fails must not end a run: one file does it. (The emulated device reports the
// fault of a kernel, and ends the process.)
BOOST_AUTO_TEST_CASE(one_file_writes_to_standard_error) {
  const std::regex stream(R"(\b(stderr|cerr|clog|STDERR_FILENO|perror)\b)");
  std::set<std::string> users;
  for (const std::string& layer : kLayers) {
    if (!fs::exists(kRoot / layer)) continue;
    for (const auto& entry : fs::recursive_directory_iterator(kRoot / layer))
      if (entry.is_regular_file() && is_source(entry.path()) &&
          std::regex_search(text_of(entry.path()), stream))
        users.insert(fs::relative(entry.path(), kRoot).string());
  }
  const std::set<std::string> expected{"engine/cuda/emulate/report.cpp", "engine/io/standard_streams.cpp"};
  BOOST_TEST(users == expected, boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(an_include_that_points_right_is_noticed) {
  BOOST_TEST(!complaint("engine", "ops/matmul/matmul.h").empty());
  BOOST_TEST(!complaint("models", "train/trainer.h").empty());
  BOOST_TEST(!complaint("train", "cli/commands.h").empty());
  BOOST_TEST(!complaint("cli", "tests/support.h").empty());
  BOOST_TEST(!complaint("ops", "tests/ops/op_case.h").empty());
  BOOST_TEST(!complaint("ops", "matmul.h").empty());
  BOOST_TEST(complaint("train", "engine/tape.h").empty());
  BOOST_TEST(complaint("cli", "train/trainer.h").empty());
  BOOST_TEST(complaint("ops", "ops/check.h").empty());
}

BOOST_AUTO_TEST_CASE(the_index_lists_every_operation) {
  const auto rows = index_rows();
  const auto recorded = recorded_operations();
  for (const auto& [name, folders] : recorded)
    BOOST_TEST(rows.count(name) == 1u, "ops/README.md has no row for `" << name << "`");
  for (const auto& [name, row] : rows) {
    const auto found = recorded.find(name);
    if (!row.test.empty()) {
      BOOST_TEST((found == recorded.end()),
                 "ops/README.md:" << row.line << ": `" << name << "` has a gradient");
      continue;
    }
    BOOST_TEST((found != recorded.end()), "ops/README.md:" << row.line << ": no case records `" << name
                                                           << "` (add one to ops/" << row.folder << ')');
    if (found != recorded.end())
      BOOST_TEST(found->second.count(row.folder) == 1u,
                 "ops/README.md:" << row.line << ": `" << name << "` is not in ops/" << row.folder);
  }
}

BOOST_AUTO_TEST_CASE(the_index_lists_every_folder) {
  std::set<std::string> listed, with_gradient;
  for (const auto& [name, row] : index_rows()) {
    listed.insert(row.folder);
    if (row.test.empty()) with_gradient.insert(row.folder);
  }
  for (const auto& entry : fs::directory_iterator(kRoot / "ops")) {
    if (!entry.is_directory()) continue;
    const std::string folder = entry.path().filename().string();
    BOOST_TEST(listed.count(folder) == 1u, "ops/README.md has no row for the folder " << folder);
    if (with_gradient.count(folder))
      BOOST_TEST(fs::exists(entry.path() / (folder + "_cases.cpp")), "ops/" << folder << " has no cases");
  }
}

// What scripts/new_op.sh has begun is finished.
BOOST_AUTO_TEST_CASE(nothing_is_left_to_fill_in) {
  const auto check = [](const fs::path& file) {
    for_lines(file, [&](int number, const std::string& line) {
      const bool prose = file.extension() == ".md" && !line.starts_with("| `");  // it may speak of the mark
      BOOST_TEST((prose || line.find("FILL IN") == line.npos), place(file, number) << ": to be filled in");
    });
  };
  for (const auto& entry : fs::recursive_directory_iterator(kRoot / "ops"))
    if (entry.is_regular_file()) check(entry.path());
}

BOOST_AUTO_TEST_CASE(operations_that_users_of_pytorch_find_exist) {
  const std::set<std::string> named = operations_for_users_of_pytorch(), declared = declared_functions();
  for (const std::string& name : named)
    BOOST_TEST(declared.count(name) == 1u,
               "docs/from_pytorch.md: no header of ops/ declares `" << name << '`');
  BOOST_TEST(named.size() > 50u);
}

BOOST_AUTO_TEST_CASE(kernels_follow_one_convention) {
  int seen = 0;
  for (const auto& entry : fs::recursive_directory_iterator(kRoot / "ops")) {
    if (!entry.is_regular_file()) continue;
    for (const std::string& wrong : convention_breaks(entry.path(), text_of(entry.path()))) {
      BOOST_TEST(false, fs::relative(entry.path(), kRoot).string() << ' ' << wrong);
    }
    ++seen;
  }
  BOOST_TEST(seen > 50);
}

BOOST_AUTO_TEST_CASE(a_break_of_the_convention_is_noticed) {
  const fs::path folder = kRoot / "ops/softmax";
  const auto breaks = [&](const char* name, const char* text) {
    return convention_breaks(folder / name, text).size();
  };
  BOOST_TEST(breaks("softmax.h", "inline constinit Kernel<void(const Tensor& x)> softmax_forward") == 1u);
  BOOST_TEST(breaks("softmax_kernels.h", "Tensor softmax(const Tensor& x);") == 1u);
  BOOST_TEST(breaks("softmax_math.h", "void f(const Tensor& x);") == 1u);
  BOOST_TEST(breaks("softmax_cpu.cpp", "#include \"ops/softmax/softmax.h\"") == 1u);
  BOOST_TEST(breaks("lonely_cpu.cpp", "#include \"ops/softmax/softmax_kernels.h\"") == 1u);
  BOOST_TEST(breaks("lonely_cuda.cu", "#include \"ops/softmax/softmax_kernels.h\"") == 1u);
  BOOST_TEST(breaks("softmax.cu", "std::memcpy(to, from, bytes);") == 1u);
  BOOST_TEST(breaks("softmax.h", "Tensor softmax(const Tensor& x);") == 0u);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace fade::test
