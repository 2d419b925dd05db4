// Chapter 6, exercise 1: the bytes that the tape keeps for backward, composed and fused.
#include <set>

#include "engine/tape.h"
#include "examples/course/course.h"
#include "ops/expire_mask/expire_mask.h"
#include "ops/layout/layout.h"
#include "ops/masked_renorm/masked_renorm.h"
#include "ops/matmul/matmul.h"
#include "ops/softmax/softmax.h"
#include "ops/span_attention/span_attention.h"

using namespace fade;

constexpr int64_t M = 64, D = 8;
constexpr int R = 8;

/// The bytes of all tensors that the nodes of `tape` have saved, each storage once.
size_t saved_bytes(const Tape& tape) {
  std::set<const Storage*> seen;
  size_t bytes = 0;
  for (size_t i = 0; i < tape.size(); ++i)
    for (int k = 0; k < tape.node(i).saved_count; ++k)
      if (const Tensor& t = tape.node(i).saved[k].tensor; t && seen.insert(t.impl()->storage.get()).second)
        bytes += t.impl()->storage->bytes;
  return bytes;
}

struct Bytes {
  size_t composed, fused;
};

/// Of attention over L rows: M of the block, the others of memory.
Bytes bytes(int64_t L) {
  std::vector<int32_t> ages;
  for (int64_t j = 0; j < L; ++j) ages.push_back(static_cast<int32_t>(L - M - j));
  const auto leaf = [](const Shape& shape) {
    return Tensor::full(shape, 100, DType::f64).set_requires_grad();
  };
  const Tensor q = leaf({1, 1, M, D}), k = leaf({1, 1, L, D}), v = leaf({1, 1, L, D}), e = leaf({1, L});
  Bytes result{};
  {
    Tape tape;
    const Recording on(tape);
    const Tensor mask = expire_mask(e, Tensor::from(ages, {1, L}), M, R);
    const Tensor weights = masked_renorm(softmax_where(matmul(q, k, {.b = true}), mask), mask);
    const Tensor out = matmul(weights, v);
    result.composed = saved_bytes(tape);
  }
  {
    const Tensor flat_q = leaf({M, D}), kv = leaf({L, 2 * D}), spans = leaf({L});
    const std::vector<int32_t> start = {0, static_cast<int32_t>(L - M)};
    Tape tape;
    const Recording on(tape);
    const PackedRows rows{Tensor::from(start, {2}), Tensor::from(ages, {L}), 1, M, L - M};
    const Tensor out = span_attention(flat_q, kv, {}, rows, SpanMask::expiring(spans, R), {});
    result.fused = saved_bytes(tape);
  }
  return result;
}

int main() {
  for (const int64_t L : {128, 256, 512}) {
    const auto [composed, fused] = bytes(L);
    fmt::print("{} rows: composed {} bytes, fused {}\n", L, composed, fused);
  }
  const Bytes few = bytes(256), many = bytes(512);
  const size_t row = 8 * (2 * D + 1) + 4;  // a row's key, value and span; its age
  expect(many.fused - few.fused == 256 * row, "fused: another row costs itself");
  expect(many.composed - few.composed == 256 * (row + 3 * 8 * M),
         "composed: and 3 numbers per query, its mask, its softmax and its weight");
}
