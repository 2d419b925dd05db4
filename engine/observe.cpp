#include "engine/observe.h"

namespace fade {

void Tape::show_gradients(size_t node) const {
  const Node& n = nodes_[node];
  for (int i = 0; i < n.input_count; ++i)
    if (n.inputs[i] != kNoSlot && slots_[n.inputs[i]].grad)
      observer_->on_gradient(*n.op, node, i, slots_[n.inputs[i]].grad);
}

}  // namespace fade
