#include "train/log_file.h"

#include <fmt/format.h>

namespace fade {

std::string LogFile::append(std::string record) {
  constexpr size_t kMaxWaiting = 16 << 20;
  const bool waited = !waiting_.empty();
  waiting_bytes_ += record.size();
  waiting_.push_back(std::move(record));
  while (waiting_bytes_ > kMaxWaiting && waiting_.size() > 1) {
    waiting_bytes_ -= waiting_.front().size();
    waiting_.pop_front();
  }
  try {
    std::string bytes = path_exists(path_) ? "" : beginning_;
    for (const std::string& each : waiting_) bytes += each;
    append_to_file(path_, bytes);
    waiting_.clear();
    waiting_bytes_ = 0;
    if (waited)
      return fmt::format("{} is written again, with the lines that waited", path_.filename().string());
  } catch (const Error& e) {
    if (!waited)
      return fmt::format("warning: {}; training continues, and the lines wait in memory", e.what());
  }
  return "";
}

}  // namespace fade
