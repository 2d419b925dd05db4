// .npy files: round trips, the format, and files that are damaged or hold what no tensor holds. What NumPy
// itself writes and reads: numpy_test.
#include "engine/io/npy.h"

#include <boost/test/unit_test.hpp>
#include <cmath>
#include <cstring>

#include "engine/alloc.h"
#include "tests/identical.h"
#include "tests/ops/op_checks.h"
#include "tests/support.h"

namespace fade {
namespace {

/// A file of version 1.0 with this header.
std::string file_of(const std::string& header, const std::string& data, const std::string& version = {1, 0}) {
  const auto length = static_cast<uint32_t>(header.size());
  std::string bytes = "\x93NUMPY" + version;
  bytes.append(reinterpret_cast<const char*>(&length), version[0] == 1 ? 2 : 4);
  return bytes + header + data;
}

std::string header_of(const std::string& descr, const std::string& shape, const char* fortran = "False") {
  return "{'descr': '" + descr + "', 'fortran_order': " + fortran + ", 'shape': " + shape + ", }\n";
}

Tensor load(const std::string& bytes) {
  const test::TempDir dir;
  return load_npy(dir.write("file", bytes));
}

/// The error of a file with these bytes: one line that begins with its path, which is left out.
std::string refusal_of(const std::string& bytes) {
  const test::TempDir dir;
  const std::string path = dir.write("file", bytes);
  const std::string message = test::refusal([&] { load_npy(path); });
  BOOST_TEST(message.starts_with(path + ": "), message);
  BOOST_TEST(message.find('\n') == message.npos);
  return message.substr(std::min(message.size(), path.size() + 2));
}

void must_refuse(const std::string& bytes, const std::string& why) {
  const std::string message = refusal_of(bytes);
  BOOST_TEST(test::contains(message, why), message << " lacks: " << why);
}

template <class T>
std::string raw(const std::vector<T>& values) {
  return {reinterpret_cast<const char*>(values.data()), values.size() * sizeof(T)};
}

}  // namespace

BOOST_AUTO_TEST_SUITE(npy)

BOOST_AUTO_TEST_CASE(every_type_shape_and_device_survives_bit_for_bit) {
  const test::TempDir dir;
  for (const Device device : test::available_devices())
    for (const DType type : {DType::f32, DType::f64, DType::i32, DType::u8})
      for (const Shape& shape : {Shape{}, Shape{3}, Shape{2, 0}, Shape{2, 3}, Shape{1, 2, 1, 3, 1, 2}}) {
        const Tensor t = Tensor::full(shape, 7.5, type, device);
        save_npy(dir.path("file"), t);
        const Tensor back = load_npy(dir.path("file"));
        BOOST_TEST((test::identical(back, t) && back.device() == Device::cpu));
      }
  const Tensor special = Tensor::from(std::vector<float>{NAN, -INFINITY, -0.f, 1e-45f}, {4});
  save_npy(dir.path("file"), special.rows(1, 4));  // a view
  BOOST_TEST(test::identical(load_npy(dir.path("file")), special.rows(1, 4)));
}

BOOST_AUTO_TEST_CASE(files_follow_the_format) {
  const test::TempDir dir;
  save_npy(dir.path("file"), Tensor::from(std::vector<int32_t>{1, 2, 3}, {3}));
  const std::string bytes = test::file_text(dir.path("file"));
  BOOST_TEST(bytes.substr(0, 8) == std::string("\x93NUMPY\1\0", 8));
  uint16_t length = 0;
  std::memcpy(&length, bytes.data() + 8, sizeof length);
  BOOST_TEST((10 + length) % 64 == 0);
  const std::string header = bytes.substr(10, length);
  BOOST_TEST(header.starts_with("{'descr': '<i4', 'fortran_order': False, 'shape': (3,), }"), header);
  BOOST_TEST(header.ends_with(" \n"));
  BOOST_TEST(bytes.substr(10u + length) == raw<int32_t>({1, 2, 3}));
}

BOOST_AUTO_TEST_CASE(versions_and_spellings_are_read) {
  const std::string data = raw<float>({1, 2});
  for (const std::string& version : {std::string{1, 0}, std::string{2, 0}, std::string{3, 0}})
    BOOST_TEST(load(file_of(header_of("<f4", "(2,)"), data, version)).to_vector<float>()[1] == 2);
  const auto reads = [&](const std::string& header) { return load(file_of(header, data)).shape(); };
  BOOST_TEST((reads("{\"shape\":(2,1),\"descr\":\"<f4\",\"fortran_order\":False}") == Shape{2, 1}));
  BOOST_TEST((reads("{'descr': '<f4', 'fortran_order': True, 'shape': (1, 2)}") == Shape{1, 2}));
}

BOOST_AUTO_TEST_CASE(other_types_are_converted) {
  BOOST_TEST(load(file_of(header_of("|b1", "(3,)"), {1, 0, 1})).to_vector<uint8_t>() ==
                 (std::vector<uint8_t>{1, 0, 1}),
             boost::test_tools::per_element());
  BOOST_TEST(load(file_of(header_of("<f2", "()"), raw<uint16_t>({0x3e00}))).to_vector<float>()[0] == 1.5f);
  BOOST_TEST(load(file_of(header_of("|i1", "()"), raw<int8_t>({-3}))).to_vector<int32_t>()[0] == -3);
  std::vector<int64_t> many(10'000, 5);  // more than are converted at a time
  many.back() = -(int64_t{1} << 31);
  BOOST_TEST(load(file_of(header_of("<i8", "(10000,)"), raw(many))).to_vector<int32_t>().back() == INT32_MIN);
  many[9000] = int64_t{1} << 31;
  must_refuse(file_of(header_of("<i8", "(10000,)"), raw(many)),
              "element 9000 is 2147483648, which does not fit i32 (save x.astype('<f8'))");
  must_refuse(file_of(header_of("<u4", "(1,)"), raw<uint32_t>({~0u})), "element 0 is 4294967295, which");
  must_refuse(file_of(header_of("|b1", "(3,)"), {1, 0, 7}), "element 2 is 7, which is no bool");
}

BOOST_AUTO_TEST_CASE(what_no_tensor_holds_is_refused) {
  must_refuse(file_of(header_of(">f4", "(2,)"), raw<float>({1, 2})),
              "an array of >f4, which no tensor holds (save x.astype('<f4'))");
  must_refuse(file_of(header_of("<c8", "(1,)"), raw<float>({1, 2})), "an array of <c8");
  must_refuse(file_of("{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (1,), }", "abcd"),
              "a structured type");
  must_refuse(file_of(header_of("<f4", "(2, 2)", "True"), raw<float>({1, 2, 3, 4})),
              "an array in Fortran's order (save np.ascontiguousarray(x))");
  must_refuse(file_of(header_of("|u1", "(1, 1, 1, 1, 1, 1, 1)"), "a"), "an array of 7 dimensions");
}

BOOST_AUTO_TEST_CASE(a_file_cut_short_anywhere_is_refused) {
  const test::TempDir dir;
  save_npy(dir.path("file"), Tensor::zeros({2, 3}));
  const std::string whole = test::file_text(dir.path("file"));
  for (size_t length = 0; length < whole.size(); ++length) refusal_of(whole.substr(0, length));
  must_refuse(whole.substr(0, whole.size() - 1),
              "<f4 of shape [2,3] takes 24 bytes, after its header it holds 23");
  must_refuse(whole + "x", "after its header it holds 25");
}

// Without a hash in the format, a flipped bit of the data goes unnoticed; one of the header gives an error or
// another array of as many bytes.
BOOST_AUTO_TEST_CASE(a_flipped_bit_of_the_header_is_refused_or_read_as_it_says) {
  const test::TempDir dir;
  save_npy(dir.path("file"), Tensor::zeros({2, 3}));
  const std::string whole = test::file_text(dir.path("file"));
  for (size_t bit = 0; bit < 8 * (whole.size() - 24); ++bit) {
    std::string flipped = whole;
    flipped[bit / 8] = static_cast<char>(flipped[bit / 8] ^ (1 << bit % 8));
    try {
      BOOST_TEST(load(flipped).size_bytes() <= 24u * 4);
    } catch (const InputError&) {
    }
  }
}

BOOST_AUTO_TEST_CASE(damaged_headers_are_refused) {
  must_refuse("", "it does not start with the word of the format");
  must_refuse("{\"a\": 1}", "it does not start with the word of the format");
  must_refuse(file_of(header_of("<f4", "()"), "abcd", {4, 0}), "it is of version 4.0");
  must_refuse(file_of(header_of("<f4", "()"), "abcd", {1, 1}), "it is of version 1.1");
  must_refuse(file_of(std::string(10'001, ' '), ""), "its header has 10001 bytes, of at most 10000");
  must_refuse(file_of(header_of("|u1", "(1152921504606846976, 2)"), ""), "it has an impossible shape");
  must_refuse(file_of(header_of("<f4", "(0, 1152921504606846976)"), ""), "it has an impossible shape");
  for (const char* header :
       {"", "{", "{}", "[]", "{'descr': '<f4'}", "{'descr': '<f4, 'fortran_order': False",
        "{'descr': '<f4' 'fortran_order': False, 'shape': ()}",
        "{'descr': '<f4', 'fortran_order': 0, 'shape': ()}",
        "{'descr': '<f4', 'fortran_order': False, 'shape': 1}",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (1)}",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (-1,)}",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (1,",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (99999999999999999999,)}",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (), 'more': 1}",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (), 'shape': ()}",
        "{'descr': '<f4', 'fortran_order': False, 'shape': ()} x"})
    must_refuse(file_of(header, "abcd"), "not a readable .npy file: its header has ");
}

BOOST_AUTO_TEST_CASE(a_small_file_cannot_ask_for_much_memory) {
  reset_peak(Device::cpu);
  const int64_t before = memory_stats(Device::cpu).peak;
  must_refuse(file_of(header_of("<f4", "(1000000000,)"), "abcd"), "takes 4000000000 bytes");
  must_refuse(file_of(header_of("<f4", "(4611686018427387904,)"), ""), "it has an impossible shape");
  must_refuse(file_of(header_of("<f4", "(1073741824, 1073741824, 1073741824)"), ""), "an impossible shape");
  BOOST_TEST(memory_stats(Device::cpu).peak == before);
}

BOOST_AUTO_TEST_CASE(errors_of_calls) {
  const test::TempDir dir;
  BOOST_TEST(test::refusal([&] { load_npy(dir.path("none")); }).starts_with(dir.path("none") + ": no such"));
  BOOST_TEST(test::contains(test::error_of([&] { save_npy("x.npy", {}); }),
                            "save_npy: an empty tensor, for x.npy (give it a value first)"));
  BOOST_TEST(test::contains(test::error_of([&] { save_npy(dir.path("no/x.npy"), Tensor::zeros({1})); }),
                            dir.path("no")));
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace fade
