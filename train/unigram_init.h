// A beginning that knows how often each byte occurs, and nothing else.
#pragma once

#include "models/transformer.h"
#include "train/data/bytes.h"

namespace fade {

/// Makes the model predict every byte by its frequency in `text`, whatever came before: out.weight = 0, and
/// out.bias[v] = ln((n_v + 1/2) / Σ_u (n_u + 1/2)), n_v the number of bytes v among the first 64 MiB (Krichevsky and
/// Trofimov 1981; a byte that does not occur is not impossible). Its loss is then the entropy of single bytes, and
/// training need not find the frequencies by gradient steps. The bytes are below the model's vocabulary
/// (check_vocabulary). Throws InputError when they cannot be read.
void begin_with_frequencies(const Transformer& model, const Bytes& text);

}  // namespace fade
