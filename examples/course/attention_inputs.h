// The inputs of chapter 6 and its exercises.
#pragma once

#include "ops/span_attention/naive.h"

/// One stream and one head: `block` queries, and `rows` rows, those of the block last. Queries, keys and values are random
/// numbers from −2 to 2; row j has the span span(u), u a random number from 0 to 1.
template <class Span>
fade::NaiveInputs attention_inputs(int block, int rows, int head_size, int ramp, const Span& span) {
  fade::NaiveInputs in;
  in.head_size = head_size, in.sizes.streams = in.sizes.heads = 1;
  in.sizes.mask = fade::MaskKind::expiring;
  in.sizes.block = block, in.sizes.memory_rows = rows - block, in.sizes.ramp = ramp;
  in.start = {0, rows - block};
  for (int i = 0; i < block * head_size; ++i) in.q.push_back(4 * fade::uniform_f64({1, 0}, i) - 2);
  for (int i = 0; i < rows * 2 * head_size; ++i) in.kv.push_back(4 * fade::uniform_f64({1, 1}, i) - 2);
  for (int j = 0; j < rows; ++j) in.age.push_back(rows - block - j);  // the block's: 0, −1, ..
  for (int j = 0; j < rows; ++j) in.span.push_back(span(fade::uniform_f64({1, 2}, j)));
  return in;
}
