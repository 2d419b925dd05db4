#include "cli/compress/packers.h"

#include <lzma.h>
#include <zlib.h>
#include <zstd.h>

#include <algorithm>
#include <array>
#include <memory>

#include "engine/error.h"

namespace fade {
namespace {

using Buffer = std::array<uint8_t, 1 << 16>;

[[noreturn]] void out_of_memory(const char* library, size_t bytes) {
  fail("{}: could not compress {} bytes (out of memory?)", library, bytes);
}

}  // namespace

int64_t gzip_size(const Bytes& text) {
  constexpr int kGzipWindow = 15 + 16, kMemory = 8;  // deflate's largest window, in gzip's wrapping
  z_stream z{};
  if (deflateInit2(&z, Z_BEST_COMPRESSION, Z_DEFLATED, kGzipWindow, kMemory, Z_DEFAULT_STRATEGY) != Z_OK)
    out_of_memory("zlib", text.size());
  const std::unique_ptr<z_stream, decltype(&deflateEnd)> owned(&z, deflateEnd);
  Buffer buffer;
  int64_t size = 0;
  const auto deflate_piece = [&](std::span<const uint8_t> piece, int flush) {
    z.next_in = const_cast<uint8_t*>(piece.data());
    z.avail_in = static_cast<uInt>(piece.size());
    do {
      z.next_out = buffer.data();
      z.avail_out = buffer.size();
      deflate(&z, flush);
      size += static_cast<int64_t>(buffer.size() - z.avail_out);
    } while (z.avail_out == 0);
  };
  text.each_piece([&](std::span<const uint8_t> piece) { deflate_piece(piece, Z_NO_FLUSH); });
  deflate_piece({}, Z_FINISH);
  return size;
}

int64_t xz_size(std::span<const uint8_t> text) {
  lzma_stream xz = LZMA_STREAM_INIT;
  lzma_options_lzma options;
  if (lzma_lzma_preset(&options, 9)) out_of_memory("liblzma", text.size());
  // A dictionary larger than the text finds nothing more, and costs ten times its size in memory.
  options.dict_size =
      static_cast<uint32_t>(std::clamp<uint64_t>(text.size(), LZMA_DICT_SIZE_MIN, options.dict_size));
  const std::array<lzma_filter, 2> filters{{{LZMA_FILTER_LZMA2, &options}, {LZMA_VLI_UNKNOWN, nullptr}}};
  if (lzma_stream_encoder(&xz, filters.data(), LZMA_CHECK_CRC64) != LZMA_OK)
    out_of_memory("liblzma", text.size());
  const std::unique_ptr<lzma_stream, decltype(&lzma_end)> owned(&xz, lzma_end);
  xz.next_in = text.data();
  xz.avail_in = text.size();
  Buffer buffer;
  lzma_ret state = LZMA_OK;
  while (state == LZMA_OK) {
    xz.next_out = buffer.data();
    xz.avail_out = buffer.size();
    state = lzma_code(&xz, LZMA_FINISH);
  }
  if (state != LZMA_STREAM_END) out_of_memory("liblzma", text.size());
  return static_cast<int64_t>(xz.total_out);
}

int64_t zstd_size(std::span<const uint8_t> text) {
  const std::unique_ptr<ZSTD_CCtx, decltype(&ZSTD_freeCCtx)> z(ZSTD_createCCtx(), ZSTD_freeCCtx);
  if (!z || ZSTD_isError(ZSTD_CCtx_setParameter(z.get(), ZSTD_c_compressionLevel, 19)) ||
      ZSTD_isError(ZSTD_CCtx_setPledgedSrcSize(z.get(), text.size())))
    out_of_memory("libzstd", text.size());
  ZSTD_inBuffer in{text.data(), text.size(), 0};
  Buffer buffer;
  int64_t size = 0;
  for (size_t left = 1; left != 0;) {
    ZSTD_outBuffer out{buffer.data(), buffer.size(), 0};
    left = ZSTD_compressStream2(z.get(), &out, &in, ZSTD_e_end);
    if (ZSTD_isError(left)) out_of_memory("libzstd", text.size());
    size += static_cast<int64_t>(out.pos);
  }
  return size;
}

}  // namespace fade
