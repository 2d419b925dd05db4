#include "engine/io/safetensors.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <nlohmann/json.hpp>
#include <utility>

#include "engine/io/half.h"
#include "engine/io/hash.h"
#include "engine/io/input.h"
#include "engine/io/output.h"
#include "engine/io/utf8.h"

namespace fade {
namespace {

static_assert(std::endian::native == std::endian::little, "safetensors are little-endian");

/// A type of the format.
struct FileType {
  std::string_view name;
  DType dtype;                         ///< of the tensor into which it is read
  uint64_t bytes;                      ///< per number in the file
  float (*widen)(uint16_t) = nullptr;  ///< of a type that tensors do not have
};

/// First those that are written, in the order of DType.
constexpr FileType kTypes[] = {{"F32", DType::f32, 4},   {"F64", DType::f64, 8},
                               {"I32", DType::i32, 4},   {"U8", DType::u8, 1},
                               {"BF16", DType::bf16, 2}, {"F16", DType::f32, 2, from_f16}};

/// Key of the metadata: the hash of the whole file, computed with zeros in the place of its own digits.
constexpr const char* kHashKey = "xxh3_128";

constexpr uint64_t kLongestHeader = 100'000'000;  ///< in bytes: as the reference implementation allows

// Calls `use` with the bytes of each tensor, of which one at a time is copied to the host.
template <class Use>
void for_each_on_host(const TensorFile& file, const Use& use) {
  for (const NamedTensor& named : file.tensors) {
    const Tensor host = named.tensor.to(Device::cpu);
    use(std::string_view(static_cast<const char*>(host.data_bytes()), host.size_bytes()));
  }
}

// The position of the hash's digits in a header; npos if it has none.
size_t place_of(const std::string& hash, std::string_view header) {
  const std::string entry = fmt::format("\"{}\":\"{}\"", kHashKey, hash);
  const size_t at = header.find(entry);
  return at == std::string_view::npos ? at : at + entry.size() - 1 - hash.size();
}

/// Reads one file; every error names it.
class SafetensorsReader {
 public:
  explicit SafetensorsReader(const std::filesystem::path& path) : file_(path), path_(file_.name()) {}

  TensorFile read() {
    std::string text = read_header();
    const auto header = nlohmann::json::parse(text, nullptr, /*allow_exceptions=*/false);
    if (!header.is_object()) wrong("its header is not a JSON object");
    TensorFile out;
    std::vector<Extent> extents;
    for (const auto& [name, entry] : header.items()) {
      if (name == "__metadata__")
        read_metadata(entry, out);
      else
        extents.push_back(read_entry(name, entry));
    }
    put_in_order(extents);
    const std::string hash = hash_of_data(extents, text, out);
    if (!out.content_hash.empty() && hash != out.content_hash)
      refuse(
          "{}: damaged: its {} is {}, its metadata says {} "
          "(a program that changes the file must leave that key out of the metadata)",
          path_, kHashKey, hash, out.content_hash);
    return out;
  }

 private:
  /// A tensor as the header describes it: its bytes are [begin, end) of the data.
  struct Extent {
    std::string name;
    const FileType* type;
    Shape shape;
    uint64_t begin, end;
  };

  [[noreturn]] void wrong(const std::string& what) const {
    refuse("{}: not a readable safetensors file: {} (is it damaged, or another kind of file?)", path_, what);
  }

  std::string read_header() {
    uint64_t length = 0;
    if (file_.read(&length, sizeof length) < sizeof length) wrong("it ends before its header");
    if (length > kLongestHeader) wrong("its first 8 bytes are not the length of a header");
    if (length > file_.size() - sizeof length)
      wrong(fmt::format("its header claims {} of the file's {} bytes", length, file_.size()));
    data_size_ = file_.size() - sizeof length - length;
    std::string text(length, '\0');
    if (file_.read(text.data(), length) < length) wrong("it ends within its header");
    return text;
  }

  void read_metadata(const nlohmann::json& entry, TensorFile& out) const {
    if (!entry.is_object()) wrong("__metadata__ is not an object");
    for (const auto& [key, value] : entry.items()) {
      if (!value.is_string()) wrong(fmt::format("__metadata__.{} is not a string", shown(key)));
      (key == kHashKey ? out.content_hash : out.metadata[key]) = value.get<std::string>();
    }
  }

  static uint64_t natural(const nlohmann::json& j) {
    return j.is_number_unsigned() ? j.get<uint64_t>() : ~uint64_t{0};
  }

  Extent read_entry(const std::string& name, const nlohmann::json& entry) const {
    const std::string tensor = "tensor " + shown(name);
    const auto member = [&](const char* key) {
      return entry.is_object() && entry.contains(key) ? entry[key] : nlohmann::json();
    };
    const auto type = member("dtype"), sizes = member("shape"), offsets = member("data_offsets");
    if (!type.is_string() || !sizes.is_array() || !offsets.is_array() || offsets.size() != 2)
      wrong(tensor + " lacks dtype, shape or data_offsets");
    const auto known = std::ranges::find(kTypes, type.get<std::string>(), &FileType::name);
    if (known == std::end(kTypes))
      wrong(fmt::format("{} is of {}, only F32, F64, F16, BF16, I32 and U8 are known", tensor,
                        shown(type.get<std::string>())));
    if (sizes.size() > kMaxDims) wrong(fmt::format("{} has {} dimensions", tensor, sizes.size()));

    const uint64_t begin = natural(offsets[0]), end = natural(offsets[1]);
    if (begin > end || end > data_size_) wrong(tensor + " lies outside the file");
    Shape shape;
    try {
      for (const auto& size : sizes) shape.append(static_cast<int64_t>(natural(size)));
    } catch (const Error&) {  // negative, or too many elements
      wrong(tensor + " has an impossible shape");
    }
    const uint64_t expected = static_cast<uint64_t>(shape.numel()) * known->bytes;
    if (expected != end - begin)
      wrong(fmt::format("{} of shape {} takes {} bytes, the file gives it {}", tensor, shape.str(), expected,
                        end - begin));
    return {name, known, shape, begin, end};
  }

  // The rule of the format: tensors neither overlap nor leave gaps. It also keeps a small file from claiming
  // much memory by naming the same bytes many times.
  void put_in_order(std::vector<Extent>& extents) const {
    std::ranges::sort(extents, {}, [](const Extent& e) { return std::pair(e.begin, e.end); });
    uint64_t at = 0;
    for (const Extent& e : extents) {
      if (e.begin != at)
        wrong(fmt::format("tensor {} starts at byte {} of the data, the one before it ends at {}",
                          shown(e.name), e.begin, at));
      at = e.end;
    }
    if (at != data_size_) wrong(fmt::format("its tensors take {} bytes, it holds {}", at, data_size_));
  }

  // Reads the data directly into the tensors' memory. Returns the file's hash, for which zeros replace the
  // stored hash in the header.
  std::string hash_of_data(const std::vector<Extent>& extents, std::string& header, TensorFile& out) {
    const uint64_t length = header.size();
    if (const size_t at = place_of(out.content_hash, header); at != std::string::npos)
      std::fill_n(header.data() + at, out.content_hash.size(), '0');
    ContentHash hash;
    hash.add(&length, sizeof length);
    hash.add(header.data(), header.size());
    for (const Extent& e : extents) {
      out.tensors.push_back({e.name, Tensor::empty(e.shape, e.type->dtype)});
      const Tensor& t = out.tensors.back().tensor;
      // The file's bytes come to the end of the tensor's memory: there they are until they have been widened.
      const uint64_t size = e.end - e.begin;
      std::byte* const bytes = static_cast<std::byte*>(t.mutate_bytes()) + (t.size_bytes() - size);
      if (file_.read(bytes, size) < size) wrong("it ends within its data");
      hash.add(bytes, size);
      if (e.type->widen) widen(t, bytes, e.type->widen);
    }
    return hash.digits();
  }

  static void widen(const Tensor& t, const std::byte* narrow, float (*widened)(uint16_t)) {
    float* const wide = t.mutate<float>();
    for (int64_t i = 0; i < t.numel(); ++i) {
      uint16_t bits;
      std::memcpy(&bits, narrow + 2 * i, sizeof bits);
      wide[i] = widened(bits);
    }
  }

  Input file_;
  std::string path_;  ///< in messages
  uint64_t data_size_ = 0;
};

}  // namespace

const Tensor& TensorFile::at(std::string_view name) const {
  const auto it = std::ranges::find(tensors, name, &NamedTensor::name);
  if (it == tensors.end()) refuse("safetensors: there is no tensor called {}", name);
  return it->tensor;
}

bool TensorFile::has(std::string_view name) const {
  return std::ranges::find(tensors, name, &NamedTensor::name) != tensors.end();
}

std::string save_safetensors(const std::filesystem::path& path, const TensorFile& file) {
  const std::string unknown(ContentHash::kDigits, '0');
  auto header = nlohmann::ordered_json::object();
  header["__metadata__"] = file.metadata;
  header["__metadata__"][kHashKey] = unknown;
  size_t at = 0;
  for (const auto& [name, t] : file.tensors) {
    std::vector<int64_t> shape;
    for (int i = 0; i < t.shape().dims(); ++i) shape.push_back(t.size(i));
    header[name] = {{"dtype", kTypes[static_cast<int>(t.dtype())].name},
                    {"shape", shape},
                    {"data_offsets", {at, at + t.size_bytes()}}};
    at += t.size_bytes();
  }
  // (with replacement characters, because a path in the metadata need not be UTF-8)
  std::string text = header.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
  text.append((8 - text.size() % 8) % 8, ' ');  // aligns the data
  const uint64_t length = text.size();
  text.insert(0, reinterpret_cast<const char*>(&length), sizeof length);

  // The data is read twice, because its hash comes first in the file, and a pipe cannot be changed later.
  ContentHash hash;
  hash.add(text.data(), text.size());
  for_each_on_host(file, [&](std::string_view bytes) { hash.add(bytes.data(), bytes.size()); });
  text.replace(place_of(unknown, text), unknown.size(), hash.digits());
  Output out(path);
  out.append(text);
  for_each_on_host(file, [&](std::string_view bytes) { out.append(bytes); });
  out.commit();
  return hash.digits();
}

TensorFile load_safetensors(const std::filesystem::path& path) { return SafetensorsReader(path).read(); }

}  // namespace fade
