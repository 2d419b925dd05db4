// Files coded with a trained model and an arithmetic coder (cli/compress/range_coder.h): what the model is sure of
// takes next to nothing. It also proves the model's bits per byte: a byte must be decoded before the model
// may read it, so a figure that looked into the future could not be reached.
//
// An archive:
//   "fade"            4 bytes
//   format            1 byte, 1
//   checksum          CRC-32 of all that follows
//   model             CRC-32 of the model's configuration and weights
//   arithmetic        CRC-32 of what that model predicts of a fixed text, on the machine that coded
//   content           CRC-32 of the text
//   length, streams   the text's bytes, and B: base 128, lowest digit first, all but the last plus 128
//   code              the text, as one number of the range coder
// (CRCs are 4 bytes, little-endian.) The text is cut into B streams of n = (length − 1) div B bytes, as
// `fade eval` cuts it. First come each stream's first byte and the fewer than B bytes after the last stream's
// end, all symbols equally likely; then position 1 of all streams, position 2, and so on.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <vector>

#include "models/transformer.h"

namespace fade {

/// Called now and then with the share of the work that is done, 0 to 1.
using OnProgress = std::function<void(double)>;

/// Streams of an archive, at most: each takes memory.
inline constexpr int kMostStreams = 4096;

/// Streams for a text of this many bytes: more are faster on more cores, but each begins without a memory.
/// With these, an archive is at most 64 bytes and 0.1 % above what `fade eval` says.
int default_streams(size_t length);

/// The archive of `text`, the same on any number of threads. Throws InputError, naming the text by `name`,
/// when a byte is outside the vocabulary or there are not at least two bytes a stream.
std::vector<uint8_t> compress(const Transformer& model, std::span<const uint8_t> text,
                              const std::string& name, int streams, const OnProgress& on_progress = {});

/// The text of an archive. Throws InputError, naming it by `name`, when it is damaged, none, of another
/// model, or of a machine whose arithmetic differs. Takes no memory that a damaged or forged archive asks
/// for: it grows as bytes are decoded, and ends where the code does.
std::vector<uint8_t> decompress(const Transformer& model, std::span<const uint8_t> archive,
                                const std::string& name, const OnProgress& on_progress = {});

}  // namespace fade
