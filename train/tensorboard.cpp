#include "train/tensorboard.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <bit>
#include <cctype>
#include <charconv>
#include <chrono>
#include <system_error>

#include "train/checkpoint/run_directory.h"

namespace fade {
namespace {

struct Tag {
  std::string_view key;   ///< of a line of metrics.jsonl
  std::string_view name;  ///< TensorBoard groups charts by what stands before the slash
};
constexpr Tag kTags[] = {{"train_bpb", "train/bits_per_byte"}, {"aux", "train/auxiliary_loss"},
                         {"grad_norm", "train/gradient_norm"}, {"lr", "train/learning_rate"},
                         {"skipped", "train/skipped_steps"},   {"valid_bpb", "valid/bits_per_byte"},
                         {"valid_mean_rows", "valid/rows"},    {"valid_mean_span", "valid/span"},
                         {"mean_span", "spans/mean"},          {"mean_rows", "memory/rows"},
                         {"peak_bytes", "memory/peak_bytes"},  {"tokens_per_s", "speed/tokens_per_s"},
                         {"ms", "speed/ms_per_step"}};

double now() {
  return std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count();
}

// The lowest `count` bytes of a number, the lowest first.
std::string little_endian(uint64_t number, int count) {
  std::string bytes;
  for (int i = 0; i < count; ++i) bytes += static_cast<char>(number >> (8 * i));
  return bytes;
}

// Fields of a protocol buffer: the field's number and the kind of its value, and then the value.
enum class Wire { varint = 0, fixed64 = 1, bytes = 2, fixed32 = 5 };

std::string varint(uint64_t number) {
  std::string bytes;
  for (; number >= 128; number >>= 7) bytes += static_cast<char>(number | 128);
  return bytes + static_cast<char>(number);
}
std::string key(int field, Wire wire) {
  return varint(static_cast<uint64_t>(field << 3 | static_cast<int>(wire)));
}
std::string field_of(int field, double value) {
  return key(field, Wire::fixed64) + little_endian(std::bit_cast<uint64_t>(value), 8);
}
std::string field_of(int field, float value) {
  return key(field, Wire::fixed32) + little_endian(std::bit_cast<uint32_t>(value), 4);
}
std::string field_of(int field, int64_t value) {
  return key(field, Wire::varint) + varint(static_cast<uint64_t>(value));
}
std::string field_of(int field, std::string_view bytes) {  // a string or a message
  return key(field, Wire::bytes) + varint(bytes.size()) + std::string(bytes);
}

// TensorFlow stores checksums rotated and shifted, so that a file of records may hold such files.
std::string masked_crc(std::string_view bytes) {
  return little_endian(std::rotr(crc32c(bytes), 15) + 0xa282ead8u, 4);
}

std::string record(const std::string& event) {
  const std::string length = little_endian(event.size(), 8);
  return length + masked_crc(length) + event + masked_crc(event);
}

// An Event of this moment; `what` is its field that says what has happened.
std::string event(int64_t step, const std::string& what) {
  return record(field_of(1, now()) + field_of(2, step) + what);
}

}  // namespace

uint32_t crc32c(std::string_view bytes) {
  uint32_t crc = ~0u;
  for (const char byte : bytes) {
    crc ^= static_cast<uint8_t>(byte);
    for (int bit = 0; bit < 8; ++bit) crc = crc >> 1 ^ (crc & 1 ? 0x82f63b78u : 0);
  }
  return ~crc;
}

std::filesystem::path new_event_file(const std::filesystem::path& folder) {
  constexpr int64_t kLastTime = 9'999'999'998;  // of the ten digits that sort as they count
  auto time = static_cast<int64_t>(now());
  std::error_code ignored;
  for (const auto& entry : std::filesystem::directory_iterator(folder, ignored)) {
    const std::string name = entry.path().filename().string();
    int64_t other = 0;
    if (!name.starts_with(kEventsPrefix)) continue;
    const char* const digits = name.c_str() + kEventsPrefix.size();
    if (std::from_chars(digits, name.c_str() + name.size(), other).ec == std::errc() && other <= kLastTime)
      time = std::max(time, other + 1);
  }
  char host[256] = "";
  if (::gethostname(host, sizeof host - 1) != 0 || !*host) host[0] = '-';
  std::string safe = host;
  for (char& c : safe)
    if (!std::isalnum(static_cast<unsigned char>(c)) && c != '-' && c != '.') c = '_';
  return folder / fmt::format("{}{:010}.{}", kEventsPrefix, time, safe);
}

std::string event_file_beginning(int64_t step) {
  constexpr int kFileVersion = 3, kSessionLog = 7, kStatus = 1;
  constexpr int64_t kStart = 1;
  std::string records = event(0, field_of(kFileVersion, std::string_view("brain.Event:2")));
  records += event(step + 1, field_of(kSessionLog, field_of(kStatus, kStart)));
  return records;
}

std::string scalars_record(const nlohmann::ordered_json& line) {
  constexpr int kSummary = 5, kValue = 1, kTag = 1, kSimpleValue = 2;
  std::string summary;
  for (const Tag& tag : kTags)
    if (const auto number = line.find(tag.key); number != line.end() && number->is_number())
      summary += field_of(kValue, field_of(kTag, tag.name) + field_of(kSimpleValue, number->get<float>()));
  return event(line.at("step").get<int64_t>(), field_of(kSummary, summary));
}

}  // namespace fade
