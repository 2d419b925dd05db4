// Bytes that a model misreads while it trains.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "engine/rng.h"

namespace fade {

/// Replaces each of `tokens` [streams, length] with probability `p`, in [0, 1], by the token that a random place of the
/// same stream's block had before, all places as likely: so bytes come in as often as they occur there (unigram noising:
/// Xie et al. 2017, "Data Noising as Smoothing in Neural Network Language Models"). A text that is read many times over is
/// then different each time. Stream s draws the numbers of stream `first` + s of `key`, whichever streams are read with it.
/// Throws Error unless the tokens are whole streams.
void add_input_noise(std::span<int32_t> tokens, size_t length, double p, RngKey key, size_t first);

}  // namespace fade
