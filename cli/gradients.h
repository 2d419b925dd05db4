// `fade grad`: losses and gradients of a model on given bytes, for comparison with another implementation.
#pragma once

#include <span>

#include "engine/io/safetensors.h"
#include "models/transformer.h"

namespace fade {

/// Reads `blocks` blocks carrying memory, in training mode with dropout and noise off and no updates; stream
/// b takes bytes [b·n, (b+1)·n), n = size div streams. Returns loss [N], aux [N] (of each block) and
/// grad.NAME of loss + aux of the last block, in the model's type. Throws InputError when there are too few
/// bytes, or one outside the vocabulary.
TensorFile gradients(const Transformer& model, std::span<const uint8_t> tokens, int streams, int blocks);

}  // namespace fade
