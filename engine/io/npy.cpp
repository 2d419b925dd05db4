#include "engine/io/npy.h"

#include <algorithm>
#include <bit>
#include <charconv>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "engine/io/half.h"
#include "engine/io/input.h"
#include "engine/io/output.h"
#include "engine/io/utf8.h"

namespace fade {
namespace {

static_assert(std::endian::native == std::endian::little, "the data of a tensor is written as it is");

constexpr std::string_view kMagic = "\x93NUMPY";
constexpr size_t kAlignment = 64;            ///< of the data in the file
constexpr uint32_t kLongestHeader = 10'000;  ///< in bytes, as numpy.load allows

/// A type of the format.
struct FileType {
  std::string_view descr;  ///< its name
  DType dtype;             ///< of the tensor into which it is read
  uint64_t bytes;          ///< per value in the file
  /// Reads all values of a tensor; nullptr where they are read as they are.
  void (*read)(Input& file, const FileType& type, const Tensor& t) = nullptr;
  std::string_view misfit = {};  ///< what is wrong with a value that cannot be converted
};

template <class From, class To, std::optional<To> (*converted)(From)>
void read_converted(Input& file, const FileType& type, const Tensor& t) {
  From piece[4096];
  To* const out = t.mutate<To>();
  for (int64_t done = 0; done < t.numel();) {
    const int64_t n = std::min<int64_t>(std::ssize(piece), t.numel() - done);
    file.read(piece, static_cast<size_t>(n) * sizeof(From));
    for (int64_t i = 0; i < n; ++i) {
      const std::optional<To> value = converted(piece[i]);
      if (!value) refuse("{}: element {} is {}, {}", file.name(), done + i, piece[i], type.misfit);
      out[done + i] = *value;
    }
    done += n;
  }
}

std::optional<float> of_half(uint16_t bits) { return from_f16(bits); }

std::optional<uint8_t> of_bool(uint8_t v) { return v <= 1 ? std::optional(v) : std::nullopt; }

template <class From>
std::optional<int32_t> of_integer(From v) {
  return std::in_range<int32_t>(v) ? std::optional(static_cast<int32_t>(v)) : std::nullopt;
}

template <class From>
constexpr FileType integer(std::string_view descr) {
  return {descr, DType::i32, sizeof(From), read_converted<From, int32_t, of_integer<From>>,
          "which does not fit i32 (save x.astype('<f8'))"};
}

/// First those that are written, in the order of DType.
constexpr FileType kTypes[] = {
    {"<f4", DType::f32, 4},
    {"<f8", DType::f64, 8},
    {"<i4", DType::i32, 4},
    {"|u1", DType::u8, 1},
    {"|b1", DType::u8, 1, read_converted<uint8_t, uint8_t, of_bool>,
     "which is no bool (is the file damaged?)"},
    {"<f2", DType::f32, 2, read_converted<uint16_t, float, of_half>},
    integer<int8_t>("|i1"),
    integer<int16_t>("<i2"),
    integer<uint16_t>("<u2"),
    integer<uint32_t>("<u4"),
    integer<int64_t>("<i8"),
    integer<uint64_t>("<u8"),
};

/// What the header says.
struct Description {
  std::string descr;
  bool fortran_order = false;
  std::vector<uint64_t> shape;
};

/// Reads the header, a dict of Python: {'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }. Its
/// errors are what was expected, and where.
class HeaderReader {
 public:
  explicit HeaderReader(std::string_view text) : text_(text) {}

  Description read() {
    Description d;
    int seen[3] = {};
    expect("{");
    while (!accept("}")) {
      const std::string key = string();
      expect(":");
      if (key == "descr" && ++seen[0])
        d.descr = string();
      else if (key == "fortran_order" && ++seen[1])
        d.fortran_order = boolean();
      else if (key == "shape" && ++seen[2])
        d.shape = tuple();
      else
        wrong("a key other than descr, fortran_order and shape");
      if (!accept(",") && !at("}")) wrong("no comma");
    }
    if (seen[0] != 1 || seen[1] != 1 || seen[2] != 1) wrong("not one each of descr, fortran_order and shape");
    skip_spaces();
    if (at_ != text_.size()) wrong("text after the dict");
    return d;
  }

 private:
  [[noreturn]] void wrong(std::string_view what) const {
    throw InputError(fmt::format("its header has {} at byte {}", what, at_));
  }
  void skip_spaces() { at_ = std::min(text_.find_first_not_of(" \n", at_), text_.size()); }
  bool at(std::string_view token) {
    skip_spaces();
    return text_.substr(at_).starts_with(token);
  }
  bool accept(std::string_view token) {
    if (!at(token)) return false;
    at_ += token.size();
    return true;
  }
  void expect(std::string_view token) {
    if (!accept(token)) wrong(fmt::format("no {}", token));
  }

  std::string string() {
    skip_spaces();
    const char quote = at("'") ? '\'' : at("\"") ? '"' : '\0';
    const size_t end = quote ? text_.find(quote, at_ + 1) : text_.npos;
    if (end == text_.npos) wrong(at("[") ? "a structured type" : "no string");
    const std::string_view value = text_.substr(at_ + 1, end - at_ - 1);
    at_ = end + 1;
    return std::string(value);
  }

  bool boolean() {
    if (accept("True")) return true;
    if (accept("False")) return false;
    wrong("neither True nor False");
  }

  std::vector<uint64_t> tuple() {
    std::vector<uint64_t> numbers;
    expect("(");
    while (!accept(")")) {
      skip_spaces();
      uint64_t n = 0;
      const char* const begin = text_.data() + at_;
      const auto [end, error] = std::from_chars(begin, text_.data() + text_.size(), n);
      if (error != std::errc()) wrong("no size");
      at_ += static_cast<size_t>(end - begin);
      numbers.push_back(n);
      if (!accept(",") && (numbers.size() == 1 || !at(")"))) wrong("no comma");  // (2) is no tuple
    }
    return numbers;
  }

  std::string_view text_;
  size_t at_ = 0;
};

/// Reads one file; every error names it.
class NpyReader {
 public:
  explicit NpyReader(const std::filesystem::path& path) : file_(path), path_(file_.name()) {}

  Tensor read() {
    const Description d = read_header();
    const auto type = std::ranges::find(kTypes, d.descr, &FileType::descr);
    if (type == std::end(kTypes))
      refuse("{}: an array of {}, which no tensor holds (save x.astype('<f4'))", path_, shown(d.descr));
    const Shape shape = shape_of(d, type->bytes);
    if (d.fortran_order && std::ranges::count_if(d.shape, [](uint64_t n) { return n > 1; }) > 1)
      refuse("{}: an array in Fortran's order (save np.ascontiguousarray(x))", path_);
    const Tensor t = Tensor::empty(shape, type->dtype);
    if (type->read)
      type->read(file_, *type, t);
    else
      file_.read(t.mutate_bytes(), t.size_bytes());
    return t;
  }

 private:
  [[noreturn]] void wrong(const std::string& what) const {
    refuse("{}: not a readable .npy file: {} (is it damaged, or another kind of file?)", path_, what);
  }

  Description read_header() {
    char start[8] = {};
    if (file_.read(start, sizeof start) < sizeof start ||
        !std::string_view(start, sizeof start).starts_with(kMagic))
      wrong("it does not start with the word of the format");
    const int version = static_cast<uint8_t>(start[6]), minor = static_cast<uint8_t>(start[7]);
    if (version < 1 || version > 3 || minor != 0)
      wrong(fmt::format("it is of version {}.{}, only 1.0, 2.0 and 3.0 are known", version, minor));
    const size_t width = version == 1 ? 2 : 4;
    uint32_t length = 0;
    if (file_.read(&length, width) < width) wrong("it ends before its header");
    if (length > kLongestHeader)
      wrong(fmt::format("its header has {} bytes, of at most {}", length, kLongestHeader));
    std::string text(length, '\0');
    if (file_.read(text.data(), length) < length) wrong("it ends within its header");
    data_size_ = file_.size() - sizeof start - width - length;
    try {
      return HeaderReader(text).read();
    } catch (const InputError& error) {
      wrong(error.what());
    }
  }

  // The shape, whose values must take all of the file's data.
  Shape shape_of(const Description& d, uint64_t bytes_per_value) const {
    if (d.shape.size() > kMaxDims)
      refuse("{}: an array of {} dimensions, a tensor has at most {} (reshape it before it is saved)", path_,
             d.shape.size(), kMaxDims);
    Shape shape;
    try {
      for (const uint64_t n : d.shape) shape.append(static_cast<int64_t>(n));
    } catch (const Error&) {  // negative, or too many elements
      wrong("it has an impossible shape");
    }
    const uint64_t expected = static_cast<uint64_t>(shape.numel()) * bytes_per_value;
    if (expected != data_size_)
      wrong(fmt::format("{} of shape {} takes {} bytes, after its header it holds {}", d.descr, shape.str(),
                        expected, data_size_));
    return shape;
  }

  Input file_;
  std::string path_;  ///< in messages
  uint64_t data_size_ = 0;
};

}  // namespace

void save_npy(const std::filesystem::path& path, const Tensor& t) {
  if (!t) fail("save_npy: an empty tensor, for {} (give it a value first)", shown(path.string()));
  if (t.dtype() == DType::bf16) return save_npy(path, t.to(DType::f32));
  std::string shape;
  for (int i = 0; i < t.shape().dims(); ++i) shape += fmt::format("{}{}", i ? ", " : "", t.size(i));
  if (t.shape().dims() == 1) shape += ',';
  std::string header = fmt::format("{{'descr': '{}', 'fortran_order': False, 'shape': ({}), }}",
                                   kTypes[static_cast<int>(t.dtype())].descr, shape);
  const size_t start = kMagic.size() + 4, used = start + header.size() + 1;
  header.append((kAlignment - used % kAlignment) % kAlignment, ' ');
  header += '\n';
  const auto length = static_cast<uint16_t>(header.size());
  std::string begin{kMagic};
  begin += {'\1', '\0', static_cast<char>(length & 255), static_cast<char>(length >> 8)};

  const Tensor host = t.to(Device::cpu);
  Output out(path);
  out.append(begin);
  out.append(header);
  out.append({static_cast<const char*>(host.data_bytes()), host.size_bytes()});
  out.commit();
}

Tensor load_npy(const std::filesystem::path& path) { return NpyReader(path).read(); }

}  // namespace fade
