// Files compressed with a trained model and an arithmetic coder (cli/compress/range_coder.h): well-predicted
// bytes cost almost no space. This also proves the model's bits per byte: a byte must be decoded before the
// model can read it, so a model that looks into the future could not decompress.
//
// An archive:
//   "fade"            4 bytes
//   format            1 byte: 1, coded, or 2, stored
//   checksum          CRC-32 of everything after it
// Stored, the text follows as it is: a text that the model does not predict takes 9 bytes more than
// it has. Coded:
//   model             CRC-32 of the model's configuration and weights
//   arithmetic        CRC-32 of the model's predictions of a fixed text, on the machine that compressed
//   content           CRC-32 of the text
//   length, streams   of the text in bytes, and B: base 128, lowest digit first, all except the last plus 128
//   code              the text, as one number of the range coder
// (CRCs are 4 bytes, little-endian.) The text is cut into B streams of n = (length − 1) div B bytes, as `fade
// eval` does. First come the first byte of each stream and the bytes, fewer than B, after the end of the last
// stream, all symbols equally likely; then position 1 of all streams, position 2, and so on.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <vector>

#include "models/transformer.h"

namespace fade {

/// Called from time to time with the share of the work that is done, 0 to 1.
using OnProgress = std::function<void(double)>;

/// The most streams of an archive: each takes memory.
inline constexpr int kMostStreams = 4096;

/// Streams for a text of `length` bytes: more use more cores, but each begins with an empty memory. With
/// these, an archive is larger than `fade eval` predicts by at most 64 bytes and 0.1 %.
int default_streams(size_t length);

/// The archive of `text`, the same on any number of threads; stored where coding would not make it smaller.
/// Throws InputError, naming the text by `name`, when a byte is outside the vocabulary or there are fewer
/// than `streams` + 1 bytes for several streams.
std::vector<uint8_t> compress(const Transformer& model, std::span<const uint8_t> text,
                              const std::string& name, int streams, const OnProgress& on_progress = {});

/// True for an archive whose text is stored.
bool is_stored(std::span<const uint8_t> archive);

/// True when the archive was compressed with this model, or needs none. Throws InputError, naming it by
/// `name`, when it is damaged or not an archive.
bool was_compressed_with(const Transformer& model, std::span<const uint8_t> archive, const std::string& name);

/// The text of an archive. Throws InputError, naming it by `name`, when it is damaged, not an archive, or
/// coded with another model or on a machine whose arithmetic differs. A damaged or forged archive cannot make
/// it allocate: memory grows as bytes are decoded, and decoding ends where the code ends.
std::vector<uint8_t> decompress(const Transformer& model, std::span<const uint8_t> archive,
                                const std::string& name, const OnProgress& on_progress = {});

}  // namespace fade
