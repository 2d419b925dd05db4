// Safetensors files: written files can be read, by fade and by other programs, and damaged files are refused.
#include <unistd.h>

#include <boost/test/unit_test.hpp>
#include <cmath>
#include <cstring>
#include <nlohmann/json.hpp>

#include "engine/alloc.h"
#include "engine/io/safetensors.h"
#include "tests/identical.h"
#include "tests/support.h"

namespace fade {
namespace {

// A file with this header and data. It claims that the header has `length` bytes.
std::string file_of(const std::string& header, const std::string& data, uint64_t claimed) {
  std::string out(sizeof claimed, '\0');
  std::memcpy(out.data(), &claimed, sizeof claimed);
  return out + header + data;
}
std::string file_of(const std::string& header, const std::string& data) {
  return file_of(header, data, header.size());
}

// The entry of one tensor in a header.
std::string entry(const std::string& name, const std::string& dtype, const std::string& shape,
                  const std::string& offsets) {
  return fmt::format(R"("{}":{{"dtype":"{}","shape":{},"data_offsets":{}}})", name, dtype, shape, offsets);
}

// The refusal of a file with this content; it must begin with the file's name.
std::string refusal_of(const std::string& content) {
  const test::TempDir dir;
  const std::string path = dir.write("damaged", content);
  const std::string message = test::refusal([&] { load_safetensors(path); });
  BOOST_TEST(message.starts_with(path + ": not a readable safetensors file: "), message);
  return message;
}

void expect(const std::string& content, const std::string& what) {
  const std::string message = refusal_of(content);
  BOOST_TEST(test::contains(message, what), message << " should say: " << what);
}

TensorFile every_type() {
  TensorFile file;
  file.tensors.push_back({"f32", Tensor::from(std::vector<float>{1.5f, -0.0f, 1e-40f}, {3})});
  file.tensors.push_back({"f64", Tensor::from(std::vector<double>{0.1, -1e300, 5e-324, 7}, {2, 2})});
  file.tensors.push_back({"i32", Tensor::from(std::vector<int32_t>{-2147483647, 0, 5}, {3, 1})});
  file.tensors.push_back({"u8", Tensor::from(std::vector<uint8_t>{0, 255, 7, 9, 1}, {5})});
  file.tensors.push_back(
      {"bf16", Tensor::from(std::vector<float>{-1.25f, 3e38f, 1e-40f}, {3}).to(DType::bf16)});
  file.tensors.push_back({"scalar", Tensor::scalar(3)});
  file.tensors.push_back({"no rows", Tensor::zeros({0, 100000})});
  file.metadata = {{"config", "a: 1\n\"b\": \xc3\xa9\n"}, {"empty", ""}};
  return file;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(safetensors)

// Weights that other programs saved in 16 bits, of which f16 become f32: zeros, ones, the largest, the smallest, one without its
// implied leading 1, infinities and NaNs of both types.
BOOST_AUTO_TEST_CASE(numbers_of_16_bits) {
  const test::TempDir dir;
  const auto values = [&](const char* dtype, const std::vector<uint16_t>& numbers) {
    const std::string data(reinterpret_cast<const char*>(numbers.data()), 2 * numbers.size());
    const std::string header =
        "{" + entry("a", dtype, fmt::format("[{}]", numbers.size()), fmt::format("[0,{}]", data.size())) +
        "}";
    const Tensor t = load_safetensors(dir.write("file", file_of(header, data))).at("a");
    BOOST_TEST((t.dtype() == (std::string_view(dtype) == "F16" ? DType::f32 : DType::bf16)));
    return t.to(DType::f32).to_vector<float>();
  };
  const std::vector<float> f16 =
      values("F16", {0x0000, 0x8000, 0x3c00, 0xbc01, 0x7bff, 0x0001, 0x03ff, 0x0400, 0x7c00, 0xfc00, 0x7e01});
  const std::vector<float> expected16{0,        -0.f,         1,        -1 - 0x1p-10f, 65504,
                                      0x1p-24f, 0x1.ff8p-15f, 0x1p-14f, INFINITY,      -INFINITY};
  for (size_t i = 0; i < expected16.size(); ++i) BOOST_TEST(f16[i] == expected16[i]);
  BOOST_TEST(std::signbit(f16[1]));
  BOOST_TEST(std::isnan(f16.back()));
  const std::vector<float> bf16 =
      values("BF16", {0x0000, 0x8000, 0x3f80, 0xc049, 0x7f7f, 0x0001, 0xff80, 0x7fc0});
  const std::vector<float> expected{0, -0.f, 1, -3.140625f, 0x1.fep127f, 0x1p-133f, -INFINITY};
  for (size_t i = 0; i < expected.size(); ++i) BOOST_TEST(bf16[i] == expected[i]);
  BOOST_TEST(std::isnan(bf16.back()));
}

BOOST_AUTO_TEST_CASE(every_type_survives_bit_for_bit) {
  const test::TempDir dir;
  const TensorFile written = every_type();
  save_safetensors(dir.path("file"), written);
  const TensorFile read = load_safetensors(dir.path("file"));
  BOOST_TEST((read.metadata == written.metadata));
  BOOST_TEST(read.tensors.size() == written.tensors.size());
  for (const auto& [name, t] : written.tensors) {
    BOOST_REQUIRE(read.has(name));
    BOOST_TEST(test::identical(read.at(name), t));
  }
  BOOST_TEST(!read.has("g"));
  BOOST_TEST(test::contains(test::refusal([&] { read.at("g"); }), "no tensor called g"));
}

BOOST_AUTO_TEST_CASE(an_empty_collection_is_a_file_too) {
  const test::TempDir dir;
  save_safetensors(dir.path("file"), {});
  BOOST_TEST(load_safetensors(dir.path("file")).tensors.empty());
}

// Other readers require a header that starts with '{' and ends at a multiple of 8, and tensors that cover the
// data in order, without gaps.
BOOST_AUTO_TEST_CASE(files_follow_the_format) {
  const test::TempDir dir;
  save_safetensors(dir.path("file"), every_type());
  const std::string bytes = test::file_text(dir.path("file"));
  uint64_t length = 0;
  std::memcpy(&length, bytes.data(), sizeof length);
  BOOST_TEST(length % 8 == 0u);
  BOOST_TEST(bytes[sizeof length] == '{');
  const auto header = nlohmann::ordered_json::parse(bytes.substr(sizeof length, length));
  size_t at = 0;
  for (const auto& [name, tensor] : header.items()) {
    if (name == "__metadata__") continue;
    BOOST_TEST(tensor["data_offsets"][0].get<size_t>() == at);
    at = tensor["data_offsets"][1];
  }
  BOOST_TEST(sizeof length + length + at == bytes.size());
  BOOST_TEST(header["f64"]["dtype"].get<std::string>() == "F64");
  BOOST_TEST((header["i32"]["shape"] == nlohmann::ordered_json::array({3, 1})));
  BOOST_TEST(header["__metadata__"]["empty"].get<std::string>().empty());
  BOOST_TEST(header["__metadata__"]["xxh3_128"].get<std::string>().size() == 32u);
}

BOOST_AUTO_TEST_CASE(a_file_cut_short_anywhere_is_refused) {
  const test::TempDir dir;
  save_safetensors(dir.path("file"), every_type());
  const std::string whole = test::file_text(dir.path("file"));
  for (size_t length = 0; length < whole.size(); ++length) refusal_of(whole.substr(0, length));
  refusal_of(whole + "x");
}

// The content hash covers every bit of the file. Only a flip in the name of its own key goes unnoticed,
// because it hides the hash.
BOOST_AUTO_TEST_CASE(a_flipped_bit_is_refused) {
  const test::TempDir dir;
  const std::string hash = save_safetensors(dir.path("file"), every_type());
  BOOST_TEST(load_safetensors(dir.path("file")).content_hash == hash);
  const std::string whole = test::file_text(dir.path("file"));
  for (size_t bit = 0; bit < 8 * whole.size(); ++bit) {
    std::string flipped = whole;
    flipped[bit / 8] = static_cast<char>(flipped[bit / 8] ^ (1 << bit % 8));
    const std::string path = dir.write("flipped", flipped);
    try {
      BOOST_TEST(load_safetensors(path).content_hash.empty(),
                 "bit " << bit << " was flipped, and nobody saw it");
    } catch (const InputError&) {
    }
  }
}

BOOST_AUTO_TEST_CASE(files_without_a_hash_are_read_unless_they_claim_one) {
  const test::TempDir dir;
  const std::string data(8, '\1'), tensor = entry("a", "F32", "[2]", "[0, 8]");
  const TensorFile plain = load_safetensors(dir.write("plain", file_of("{" + tensor + "}", data)));
  BOOST_TEST(plain.content_hash == "");
  BOOST_TEST(plain.at("a").numel() == 2);
  const std::string path = dir.write(
      "false",
      file_of(R"({"__metadata__":{"xxh3_128":"0123456789abcdef0123456789abcdef"},)" + tensor + "}", data));
  const std::string message = test::refusal([&] { load_safetensors(path); });
  BOOST_TEST(message.starts_with(path + ": damaged: its xxh3_128 is "), message);
}

// Tensors are written one after the other, without a second copy in memory.
BOOST_AUTO_TEST_CASE(writing_and_reading_hold_no_second_copy) {
  const test::TempDir dir;
  constexpr int64_t size = 64 << 20;
  const auto resident = [] {
    const std::string text = test::file_text("/proc/self/statm");
    return std::stoll(text.substr(text.find(' '))) * sysconf(_SC_PAGESIZE);
  };
  TensorFile file;
  file.tensors.push_back({"large", Tensor::zeros({size}, DType::u8)});
  file.tensors.push_back({"small", Tensor::zeros({3})});
  int64_t before = resident();
  save_safetensors(dir.path("file"), file);
  BOOST_TEST(resident() - before < size / 4);
  before = resident();
  file = load_safetensors(dir.path("file"));  // while the written tensors still exist
  BOOST_TEST(resident() - before < size + size / 4);
  BOOST_TEST(file.at("large").numel() == size);
}

BOOST_AUTO_TEST_CASE(headers_of_a_length_that_lies_are_refused) {
  expect("", "ends before its header");
  expect("1234567", "ends before its header");
  expect(file_of("{}", "", 100'000'000), "its header claims 100000000 of the file's");
  expect(file_of("{}", "", 3), "its header claims 3 of the file's");
  expect(file_of(std::string(1 << 20, '['), ""), "its header is not a JSON object");
}

BOOST_AUTO_TEST_CASE(impossible_shapes_are_refused) {
  for (const char* shape : {"[-1]", "[1.5]", "[18446744073709551615]", "[4611686018427387904, 4]",
                            "[0, 1099511627776, 1099511627776]", "[1099511627776, 0, 1099511627776]"})
    expect(file_of("{" + entry("a", "F32", shape, "[0, 0]") + "}", ""), "tensor a has an impossible shape");
}

BOOST_AUTO_TEST_CASE(a_file_of_another_kind_is_refused_as_such) {
  const test::TempDir dir;
  for (const uint64_t length : {uint64_t{100'000'001}, ~uint64_t{0}}) {
    const std::string path = dir.write("file", file_of("{}", "", length));
    const std::string message = test::refusal([&] { load_safetensors(path); });
    BOOST_TEST(message.starts_with(path + ": not a readable safetensors file: its first 8 bytes"), message);
  }
}

BOOST_AUTO_TEST_CASE(tensors_may_lie_in_any_order) {
  const test::TempDir dir;
  const std::string header =
      "{" + entry("a", "F32", "[2]", "[8, 16]") + "," + entry("b", "F32", "[2]", "[0, 8]") + "}";
  BOOST_TEST(load_safetensors(dir.write("file", file_of(header, std::string(16, '\1')))).tensors.size() ==
             2u);
}

BOOST_AUTO_TEST_CASE(a_small_file_cannot_ask_for_much_memory) {
  const std::string data(1 << 20, '\1');
  std::string header = "{";
  for (int i = 0; i < 1000; ++i)
    header += entry(std::to_string(i), "U8", "[1048576]", "[0, 1048576]") + (i < 999 ? "," : "}");
  reset_peak(Device::cpu);
  const int64_t before = memory_stats(Device::cpu).peak;
  refusal_of(file_of(header, data));
  BOOST_TEST(memory_stats(Device::cpu).peak - before <= static_cast<int64_t>(data.size()));
}

BOOST_AUTO_TEST_CASE(a_path_without_a_file_is_refused) {
  const test::TempDir dir;
  BOOST_TEST(
      test::refusal([&] { load_safetensors(dir.path("none")); }).starts_with(dir.path("none") + ": no such"));
  BOOST_TEST(test::refusal([&] { load_safetensors(dir.path()); }).starts_with(dir.path() + ": a directory"));
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace fade
