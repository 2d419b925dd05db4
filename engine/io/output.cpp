#include "engine/io/output.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <optional>

#include "engine/error.h"

namespace fade {
namespace fs = std::filesystem;
namespace {

constexpr std::string_view kTemporaryPrefix = "fade-", kTemporarySuffix = ".tmp";

// The status of what is at a path, or of the standard stream that "-" stands for; none, and errno
// set, without it.
std::optional<struct stat> status_of(const fs::path& path, int standard) {
  struct stat status {};
  const int error = path == "-" ? ::fstat(standard, &status) : ::stat(path.c_str(), &status);
  return error ? std::nullopt : std::optional(status);
}

// The file that a path is or will be once symbolic links are followed; the last of them may lead
// to nothing yet.
fs::path followed(fs::path path) {
  constexpr int kMostLinks = 40;  // as the system allows
  std::error_code ignored;
  for (int i = 0; i < kMostLinks && fs::is_symlink(fs::symlink_status(path, ignored)); ++i)
    path = path.parent_path() / fs::read_symlink(path, ignored);
  return path;
}

fs::path name_of(const fs::path& path) { return path == "-" ? "standard output" : path; }

bool is_number(std::string_view text) {
  return !text.empty() && text.find_first_not_of("0123456789") == std::string_view::npos;
}

fs::path folder_of(const fs::path& file) { return file.has_parent_path() ? file.parent_path() : "."; }

}  // namespace

Output::Output(const fs::path& path) : name_(name_of(path)) {
  const auto there = status_of(path, STDOUT_FILENO);
  if (is_standard_output(path)) {
    file_ = Descriptor(::fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 0));
  } else if (there && !S_ISREG(there->st_mode)) {
    file_ = Descriptor(path, O_WRONLY);
  } else {
    target_ = followed(path);
    open_temporary();
    if (there && file_.ok()) ::fchmod(file_.get(), there->st_mode & 0777);  // where files have permissions
  }
  if (!file_.ok()) cannot_write(name_);
}

// A name that nobody has: other processes may write beside it.
void Output::open_temporary() {
  held_.emplace();
  for (int n = 0; !file_.ok() && (n == 0 || errno == EEXIST); ++n) {
    temporary_ =
        folder_of(target_) / fmt::format("{}{}-{}{}", kTemporaryPrefix, ::getpid(), n, kTemporarySuffix);
    file_ = Descriptor(temporary_, O_WRONLY | O_CREAT | O_EXCL);
  }
}

Output::~Output() {
  if (!temporary_.empty() && file_.ok()) ::unlink(temporary_.c_str());  // a part must not occupy a full disk
}

void Output::append(std::string_view bytes) {
  if (!write_all(file_.get(), bytes)) cannot_write(name_);
}

void Output::commit() {
  if (temporary_.empty()) return;
  if (::fsync(file_.get()) != 0) cannot_write(name_);
  rename_durably(temporary_, target_);
  temporary_.clear();
  held_.reset();
}

void write_file_atomically(const fs::path& path, std::string_view bytes) {
  Output file(path);
  file.append(bytes);
  file.commit();
}

bool is_standard_output(const fs::path& path) {
  struct stat standard {};
  const auto there = status_of(path, STDOUT_FILENO);
  return path == "-" || (there && ::fstat(STDOUT_FILENO, &standard) == 0 && same_file(*there, standard));
}

void check_output(const fs::path& path, const std::vector<fs::path>& inputs) {
  const auto there = status_of(path, STDOUT_FILENO);
  if (path.empty() || (!there && errno != ENOENT)) refuse_path(name_of(path), errno);
  if (there && S_ISDIR(there->st_mode)) refuse_path(path, EISDIR);
  for (const fs::path& input : inputs)
    if (const auto read = status_of(input, STDIN_FILENO); there && read && S_ISREG(read->st_mode))
      if (same_file(*there, *read))
        refuse("{}: is to be read and written (give another name for the output)", path.string());
  if (is_standard_output(path)) return;
  const fs::path folder = folder_of(followed(path));
  if (::access(folder.c_str(), F_OK) != 0 && errno == ENOENT)
    refuse("{}: there is no directory {} (create it)", path.string(), folder.string());
  if (there && ::access(path.c_str(), W_OK) != 0) refuse_path(path, errno);
  if ((!there || S_ISREG(there->st_mode)) && ::access(folder.c_str(), W_OK | X_OK) != 0)
    refuse("{}: the directory {} cannot be written to: {} (change its permissions, or name another)",
           path.string(), folder.string(), std::strerror(errno));
}

void refuse_terminal(const fs::path& path) {
  if (is_standard_output(path) && ::isatty(STDOUT_FILENO) == 1)
    refuse("standard output: a terminal, which cannot show binary data (redirect it, or name a file)");
}

bool is_temporary(const fs::path& path) {
  std::error_code ignored;
  const std::string name = path.filename().string();
  if (!name.starts_with(kTemporaryPrefix) || !name.ends_with(kTemporarySuffix) ||
      !fs::is_regular_file(fs::symlink_status(path, ignored)))
    return false;
  std::string_view numbers(name);  // PID-N
  numbers.remove_prefix(kTemporaryPrefix.size());
  numbers.remove_suffix(kTemporarySuffix.size());
  const size_t dash = numbers.find('-');
  return dash != std::string_view::npos && is_number(numbers.substr(0, dash)) &&
         is_number(numbers.substr(dash + 1));
}

}  // namespace fade
