#include "cli/compress/archive.h"

#include <zlib.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <string_view>

#include "cli/compress/byte_predictor.h"
#include "cli/compress/range_coder.h"
#include "engine/error.h"
#include "train/data/corpus.h"

namespace fade {
namespace {

constexpr std::string_view kMagic = "fade";
enum Format : uint8_t { kCoded = 1, kStored = 2 };

uint32_t crc(std::span<const std::byte> bytes, uint32_t before = 0) {
  return static_cast<uint32_t>(crc32_z(before, reinterpret_cast<const Bytef*>(bytes.data()), bytes.size()));
}

/// Everything that determines a model's predictions: its kind, its sizes, and its weights.
uint32_t crc_of(const Transformer& model) {
  const ModelConfig& c = model.config();
  const std::array<double, 10> sizes{
      static_cast<double>(c.kind), double(c.heads),        double(c.block), double(c.max_span),
      double(c.pre_norm),          double(c.span.ramp),    c.span.pre_div,  double(c.compress.rate),
      double(c.compress.slots),    double(c.compress.kind)};
  uint32_t sum = crc(std::as_bytes(std::span(sizes)));
  for (const Parameter& p : model.parameters().all()) {
    const Tensor t = p.value().to(Device::cpu);
    const std::string label = p.name + t.shape().str();
    sum = crc(std::as_bytes(std::span(label)), sum);
    sum = crc({static_cast<const std::byte*>(t.data_bytes()), t.size_bytes()}, sum);
  }
  return sum;
}

/// Predictions of a fixed text: they differ on a machine that rounds sums in another order.
uint32_t crc_of_arithmetic(const Transformer& model) {
  constexpr int kStreams = 4, kSteps = 64;
  BytePredictor predictor(model, kStreams);
  uint32_t sum = 0;
  for (int i = 0; i < kSteps; ++i) {
    std::array<int32_t, kStreams> bytes{};
    for (int b = 0; b < kStreams; ++b)
      bytes[static_cast<size_t>(b)] = (7 * i * i + 31 * b) % model.config().vocab;
    predictor.read(bytes);
    for (int b = 0; b < kStreams; ++b) sum = crc(std::as_bytes(predictor.table(b)), sum);
  }
  return sum;
}

/// Codes byte stream·n + offset of a text with the probabilities of `table`, and returns it.
using Coder = std::function<int32_t(std::span<const uint32_t> table, size_t stream, size_t offset)>;

/// The order in which a text's bytes are coded, the same for both directions.
void walk(const Transformer& model, size_t length, int streams, const Coder& code,
          const OnProgress& on_progress) {
  if (length == 0) return;
  const size_t B = static_cast<size_t>(streams), n = (length - 1) / B,
               V = static_cast<size_t>(model.config().vocab);
  std::vector<uint32_t> even(V + 1);
  quantise(std::vector<double>(V), even);
  std::vector<int32_t> last(B);
  for (size_t b = 0; b < B; ++b) last[b] = code(even, b, 0);
  for (size_t i = B * n + 1; i < length; ++i) code(even, B, i - B * n);

  BytePredictor predictor(model, streams);
  for (size_t i = 1; i <= n; ++i) {
    predictor.read(last);
    // The byte at the end of a stream is the first byte of the next: only the last stream's is unknown.
    const size_t open = i < n ? B : 0;
    for (size_t b = 0; b < open; ++b) last[b] = code(predictor.table(static_cast<int>(b)), b, i);
    if (i == n) code(predictor.table(streams - 1), B - 1, n);
    if (on_progress && i % 256 == 0) on_progress(static_cast<double>(i) / static_cast<double>(n));
  }
}

/// The header of a coded text, and what follows it.
struct Header {
  uint32_t model, arithmetic, content;
  uint64_t length, streams;
  std::span<const uint8_t> code;
};

void put(std::vector<uint8_t>& to, uint32_t value) {
  for (int shift = 0; shift < 32; shift += 8) to.push_back(static_cast<uint8_t>(value >> shift));
}

void put_digits(std::vector<uint8_t>& to, uint64_t value) {
  for (; value > 127; value >>= 7) to.push_back(static_cast<uint8_t>(value | 128));
  to.push_back(static_cast<uint8_t>(value));
}

/// An archive with this content.
std::vector<uint8_t> archive_of(Format format, std::span<const uint8_t> content) {
  std::vector<uint8_t> archive(kMagic.begin(), kMagic.end());
  archive.push_back(format);
  put(archive, crc(std::as_bytes(content)));
  archive.insert(archive.end(), content.begin(), content.end());
  return archive;
}

/// Reads an archive from its front.
struct Reader {
  std::span<const uint8_t> left;
  const std::string& name;

  uint8_t byte() {
    if (left.empty()) refuse("{}: damaged: it ends within its header (copy the archive again)", name);
    const uint8_t value = left.front();
    left = left.subspan(1);
    return value;
  }
  uint32_t word() {
    uint32_t value = 0;
    for (int shift = 0; shift < 32; shift += 8) value |= uint32_t{byte()} << shift;
    return value;
  }
  uint64_t digits() {
    uint64_t value = 0;
    for (int shift = 0; shift < 63; shift += 7) {
      const uint64_t digit = byte();
      value |= (digit & 127) << shift;
      if (digit < 128) return value;
    }
    refuse("{}: damaged: its header holds a number of more than 63 bits (copy the archive again)", name);
  }
};

/// Checks an archive's format and checksum. Returns the bytes that the checksum covers.
std::span<const uint8_t> checked_content(std::span<const uint8_t> archive, const std::string& name) {
  if (archive.size() < kMagic.size() || std::memcmp(archive.data(), kMagic.data(), kMagic.size()) != 0)
    refuse("{}: not an archive of fade compress", name);
  Reader in{archive.subspan(kMagic.size()), name};
  if (const int format = in.byte(); format != kCoded && format != kStored)
    refuse("{}: is in format {} of archives, this build reads {} and {} (use the fade that wrote it)", name,
           format, int{kCoded}, int{kStored});
  if (in.word() != crc(std::as_bytes(in.left)))
    refuse("{}: damaged: its checksum does not match (copy the archive again)", name);
  return in.left;
}

Header read_header(std::span<const uint8_t> content, const std::string& name) {
  Reader in{content, name};
  const Header h{in.word(), in.word(), in.word(), in.digits(), in.digits(), in.left};
  if (h.streams < 1 || h.streams > kMostStreams || (h.streams > 1 && h.streams >= h.length))
    refuse("{}: damaged: {} streams for {} bytes (copy the archive again)", name, h.streams, h.length);
  return h;
}

}  // namespace

int default_streams(size_t length) {
  // Beyond the model's bits, 16 streams take 16 + 15 bytes, the coder 1, the header 28 up to 2^35 bytes.
  constexpr size_t kMaxDefault = 16, kMinLength = 1 << 16;
  return static_cast<int>(std::clamp<size_t>(length / kMinLength, 1, kMaxDefault));
}

std::vector<uint8_t> compress(const Transformer& model, std::span<const uint8_t> text,
                              const std::string& name, int streams, const OnProgress& on_progress) {
  check_vocabulary(text, model.config().vocab, name);
  if (streams > 1 && text.size() < static_cast<size_t>(streams) + 1)
    refuse("{}: {} bytes to compress, but {} streams need {} (use fewer streams)", name, text.size(), streams,
           int64_t{streams} + 1);
  const size_t stride = text.empty() ? 0 : (text.size() - 1) / static_cast<size_t>(streams);
  RangeEncoder encoder;
  const auto encode = [&](std::span<const uint32_t> table, size_t stream, size_t offset) {
    const int32_t byte = text[stream * stride + offset];
    encoder.put(table, byte);
    return byte;
  };
  walk(model, text.size(), streams, encode, on_progress);

  std::vector<uint8_t> coded;
  put(coded, crc_of(model));
  put(coded, crc_of_arithmetic(model));
  put(coded, crc(std::as_bytes(text)));
  put_digits(coded, text.size());
  put_digits(coded, static_cast<uint64_t>(streams));
  const std::vector<uint8_t> code = encoder.finish();
  coded.insert(coded.end(), code.begin(), code.end());
  return coded.size() < text.size() ? archive_of(kCoded, coded) : archive_of(kStored, text);
}

bool is_stored(std::span<const uint8_t> archive) {
  return archive.size() > kMagic.size() && archive[kMagic.size()] == kStored;
}

bool was_compressed_with(const Transformer& model, std::span<const uint8_t> archive,
                         const std::string& name) {
  const std::span<const uint8_t> content = checked_content(archive, name);
  return is_stored(archive) || read_header(content, name).model == crc_of(model);
}

std::vector<uint8_t> decompress(const Transformer& model, std::span<const uint8_t> archive,
                                const std::string& name, const OnProgress& on_progress) {
  const std::span<const uint8_t> content = checked_content(archive, name);
  if (is_stored(archive)) return {content.begin(), content.end()};
  const Header h = read_header(content, name);
  if (h.model != crc_of(model))
    refuse("{}: was compressed with another model (give the checkpoint it was compressed with)", name);
  if (h.arithmetic != crc_of_arithmetic(model))
    refuse(
        "{}: was compressed where sums are rounded differently (use the same build of fade, the same device "
        "and the same kind of processor)",
        name);
  RangeDecoder decoder(h.code);
  std::vector<std::vector<uint8_t>> parts(h.streams + 1);  // per stream; the last: after all streams
  const auto decode = [&](std::span<const uint32_t> table, size_t stream, size_t) {
    const int32_t byte = decoder.take(table);
    if (decoder.overrun())
      refuse("{}: damaged: its code ends before its text does (copy the archive again)", name);
    parts[stream].push_back(static_cast<uint8_t>(byte));
    return byte;
  };
  walk(model, h.length, static_cast<int>(h.streams), decode, on_progress);
  std::vector<uint8_t> text;
  text.reserve(h.length);
  for (const std::vector<uint8_t>& part : parts) text.insert(text.end(), part.begin(), part.end());
  if (crc(std::as_bytes(std::span(text))) != h.content)
    refuse("{}: the decoded text is not the compressed one (an archive from another build or machine?)",
           name);
  return text;
}

}  // namespace fade
