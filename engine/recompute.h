// Activation checkpointing (Chen et al. 2016, "Training Deep Nets with Sublinear Memory Cost"): a part of a step
// keeps its inputs and results only, and computes the tensors in between again in backward.
//
//   std::vector<Tensor> y;
//   {
//     const NoGrad off;
//     y = part(x);
//   }
//   record_recomputed(y, x, part);
//
// In backward, part(x) is recorded on a tape of its own, and that tape is walked back at once. So at any time the
// tensors in between of one part are in memory, not those of all parts. Gradients are the same, bit for bit, as
// those of a part that is recorded: they are added in the same order.
#pragma once

#include <functional>
#include <vector>

#include "engine/tape.h"

namespace fade {

/// Computes results from inputs. It must give the same results each time: random numbers are functions of keys
/// (engine/rng.h) that it holds, and nothing outside of it changes.
using Recomputed = std::function<std::vector<Tensor>(const std::vector<Tensor>& inputs)>;

/// Records `outputs` = again(inputs) on the tape in scope, if a gradient can reach an input. `outputs` have been
/// computed already, without being recorded. Backward calls `again` once more, for the gradients of the inputs
/// and of the leaves that it uses (which the inputs need not name), and forgets it. Until then, what it refers to
/// must live, and no leaf that it uses may change. There are at most kMaxInputs inputs. Outputs may be empty
/// tensors, except the first; those that get no gradient cost nothing. Throws for other numbers of tensors, for
/// an output that is an input or recorded already, and in backward for an input that has been changed in place.
/// An observer of the tape (engine/observe.h) sees one node per output.
void record_recomputed(const std::vector<Tensor>& outputs, const std::vector<Tensor>& inputs,
                       Recomputed again);

}  // namespace fade
