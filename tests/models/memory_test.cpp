// The states of a model's memory: after append, drop_forgotten must come before anything reads it.
#include "models/memory.h"

#include <algorithm>
#include <boost/test/unit_test.hpp>
#include <limits>

#include "engine/tape.h"
#include "tests/models/model_support.h"

namespace fade {
namespace {

// True if `work` throws an error that names the remedy.
template <class Work>
bool needs_drop_forgotten(const Work& work) {
  return test::contains(test::error_of(work), "drop_forgotten");
}

// One layer, two streams, hidden size 1. Reads a block of 2 rows
// per stream. Rows with age + 2 < reach survive.
void read_block(Memory& memory, const std::vector<float>& rows, double reach) {
  const PackedRows context = context_rows(memory[0], 2);
  memory.append(0, Tensor::from(rows, {4, 1}), survivors(context, {.span = {}, .reach = reach}));
}

}  // namespace

BOOST_AUTO_TEST_SUITE(memory_states)

BOOST_AUTO_TEST_CASE(forgotten_rows_are_dropped_by_name_only) {
  Memory memory(1, 2, 1, DType::f32, Device::cpu);
  read_block(memory, {1, 2, 3, 4}, 10);
  BOOST_TEST(needs_drop_forgotten([&] { memory[0]; }));
  BOOST_TEST(needs_drop_forgotten([&] { memory.mean_rows(); }));
  BOOST_TEST(needs_drop_forgotten([&] {
    memory.append(0, Tensor::zeros({4, 1}, DType::f32, Device::cpu), {});
  }));
  memory.drop_forgotten();
  BOOST_TEST(memory.mean_rows() == 2);
  BOOST_TEST(memory[0].rows.to_vector<float>() == (std::vector<float>{1, 2, 3, 4}),
             boost::test_tools::per_element());
  memory.drop_forgotten();  // nothing is left to do
  BOOST_TEST(memory.mean_rows() == 2);
}

BOOST_AUTO_TEST_CASE(survivors_keep_rows_ages_and_streams) {
  Memory memory(1, 2, 1, DType::f32, Device::cpu);
  read_block(memory, {1, 2, 3, 4}, 10);
  memory.drop_forgotten();
  // Distances of stream 0: row 1 at 4, row 2 at 3, row 5 at 2, row 6 at 1.
  read_block(memory, {5, 6, 7, 8}, 3.5);
  memory.drop_forgotten();
  BOOST_TEST(memory[0].rows.to_vector<float>() == (std::vector<float>{2, 5, 6, 4, 7, 8}),
             boost::test_tools::per_element());
  BOOST_TEST(memory[0].age.to_vector<int32_t>() == (std::vector<int32_t>{3, 2, 1, 3, 2, 1}),
             boost::test_tools::per_element());
  BOOST_TEST(memory[0].start.to_vector<int32_t>() == (std::vector<int32_t>{0, 3, 6}),
             boost::test_tools::per_element());
  BOOST_TEST(memory[0].read == 4);
}

BOOST_AUTO_TEST_CASE(a_single_stream_that_forgets_nothing_is_not_copied) {
  Memory memory(1, 1, 1, DType::f32, Device::cpu);
  const auto read = [&](const std::vector<float>& rows, double reach) {
    const PackedRows context = context_rows(memory[0], std::ssize(rows));
    memory.append(0, Tensor::from(rows, {std::ssize(rows), 1}),
                  survivors(context, {.span = {}, .reach = reach}));
    memory.drop_forgotten();
    return memory[0];
  };
  constexpr double kAll = std::numeric_limits<double>::infinity();
  const LayerMemory first = read({1, 2, 3, 4}, kAll), second = read({5, 6}, kAll);
  BOOST_TEST(second.rows.data<float>() == first.rows.data<float>());  // the same memory, with room
  BOOST_TEST(second.rows.to_vector<float>() == (std::vector<float>{1, 2, 3, 4, 5, 6}),
             boost::test_tools::per_element());
  BOOST_TEST(second.age.to_vector<int32_t>() == (std::vector<int32_t>{6, 5, 4, 3, 2, 1}),
             boost::test_tools::per_element());
  BOOST_TEST(second.forgot_at == 0);

  const Memory copy = memory;
  read({7}, 4.5);
  BOOST_TEST(memory[0].rows.to_vector<float>() == (std::vector<float>{4, 5, 6, 7}),
             boost::test_tools::per_element());
  BOOST_TEST(memory[0].forgot_at == 4);
  BOOST_TEST(copy[0].count() == 6);
}

BOOST_AUTO_TEST_CASE(a_layer_that_forgets_late_forgets_when_it_has_grown) {
  ModelConfig config = test::small_model();
  config.kind = Kind::transformer_xl;
  const Transformer model(config, DType::f32, Device::cpu, 1);
  const NoGrad off;
  const auto most_rows = [&](bool late) {
    Memory memory = model.empty_memory(1);
    int64_t most = 0;
    for (int i = 0; i < 4 * config.max_span; ++i) {
      StepReport report;
      model.forward(Tensor::zeros({1, 1}, DType::i32), memory, {.frozen = true, .forget_late = late}, report);
      memory.drop_forgotten();
      most = std::max(most, memory[1].count());
    }
    return most;
  };
  BOOST_TEST(most_rows(false) == config.max_span);
  BOOST_TEST(most_rows(true) == config.max_span + config.max_span / 8 + 16);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace fade
