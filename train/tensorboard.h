// Files of events, which TensorBoard shows: records (a length and bytes, and a checksum of each) that hold messages
// in the format of protocol buffers.
//
// Sources: TensorFlow's tensorflow/core/lib/io/record_writer.h (the records) and tensorflow/core/util/event.proto (the
// messages Event, Summary and SessionLog).
#pragma once

#include <cstdint>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

namespace fade {

/// CRC-32C, of Castagnoli's polynomial, as in RFC 3720.
uint32_t crc32c(std::string_view bytes);

/// A name for a new file of events in `folder`: events.out.tfevents.TIME.HOST, with TIME in seconds. TensorBoard
/// reads a folder's files in the order of their names, so that TIME is above that of all files there.
std::filesystem::path new_event_file(const std::filesystem::path& folder);

/// The records at the beginning of a file: the format's version, and the start of a session after `step`, for
/// which TensorBoard forgets what earlier files have of later steps.
std::string event_file_beginning(int64_t step);

/// A record with the numbers of a line of metrics.jsonl under the names that docs/runs.md lists.
std::string scalars_record(const nlohmann::ordered_json& line);

}  // namespace fade
