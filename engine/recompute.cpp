#include "engine/recompute.h"

#include <algorithm>
#include <array>
#include <memory>

namespace fade {

/// What the nodes of one call of record_recomputed share; the tape owns it.
struct Recomputation {
  Recomputed again;
  std::vector<Tensor> gradients;  ///< of the outputs, where any have come

  /// A node's attributes.
  struct Output {
    Recomputation* of;
    size_t number;
  };

  static void first_output(BackwardCtx& ctx);
  static void other_output(BackwardCtx& ctx);

 private:
  using Slot = uint32_t;
  static Slot slot_of_leaf(Tape& tape, const Tensor& leaf);
  void walk_back(BackwardCtx& ctx);
};

/// The leaf's slot on `tape`. (The leaf itself knows the slot on the tape that used it last.)
Recomputation::Slot Recomputation::slot_of_leaf(Tape& tape, const Tensor& leaf) {
  const auto known = std::ranges::find_if(
      tape.leaves_, [&](const Tape::Leaf& other) { return other.tensor.impl() == leaf.impl(); });
  if (known != tape.leaves_.end()) return known->slot;
  const Slot slot = tape.new_slot(leaf);
  tape.leaves_.push_back({leaf, slot, 0});
  return slot;
}

void Recomputation::walk_back(BackwardCtx& ctx) {
  Tape &outer = ctx.tape_, inner;
  // Gradients of inputs and leaves: the inner tape adds to what the outer one has so far.
  struct Lent {
    Slot inner, outer;
  };
  std::vector<Lent> lent;
  std::vector<Tensor> inputs, outputs;
  for (int i = 0; i < ctx.node_.input_count; ++i) {
    inputs.push_back(ctx.saved(i));
    if (!ctx.needs(i)) continue;
    inputs.back() = inputs.back().detach();
    lent.push_back({inner.new_slot(inputs.back()), ctx.node_.inputs[i]});
  }
  {
    const Tape::Scope recording(&inner);
    outputs = std::exchange(again, {})(inputs);
  }
  for (const auto& [leaf, slot, node] : inner.leaves_) lent.push_back({slot, slot_of_leaf(outer, leaf)});
  for (const Lent& l : lent) inner.slots_[l.inner].grad = std::exchange(outer.slots_[l.outer].grad, {});
  for (size_t k = 0; k < gradients.size(); ++k)
    if (gradients[k] && inner.has(outputs.at(k)))
      inner.slots_[outputs[k].impl()->slot].grad = std::exchange(gradients[k], {});
  inner.walk_back();
  for (const Lent& l : lent) outer.slots_[l.outer].grad = std::move(inner.slots_[l.inner].grad);
}

void Recomputation::first_output(BackwardCtx& ctx) {
  Recomputation& of = *ctx.attrs<Output>().of;
  of.gradients[0] = ctx.grad();
  of.walk_back(ctx);
}

// Recorded as an operation on the first output, so that its rule runs before that of the first output, which then
// runs in any case.
void Recomputation::other_output(BackwardCtx& ctx) {
  const auto [of, number] = ctx.attrs<Output>();
  of->gradients[number] = ctx.grad();
  if (!ctx.tape_.slots_[ctx.node_.inputs[0]].grad) ctx.accumulate(0);
}

namespace {
constexpr OpDef kFirst{"recompute", Recomputation::first_output};
constexpr OpDef kOther{"recompute_output", Recomputation::other_output};
}  // namespace

void record_recomputed(const std::vector<Tensor>& outputs, const std::vector<Tensor>& inputs,
                       Recomputed again) {
  Tape* const tape = Tape::current();
  if (!tape) return;
  if (inputs.size() > kMaxInputs)
    fail("recompute: {} inputs, at most {} (leaves need not be inputs)", inputs.size(), kMaxInputs);
  if (outputs.empty() || !outputs[0]) fail("recompute: has no first output (compute it first)");
  for (const Tensor& out : outputs) {
    const auto is_output = [&](const Tensor& in) { return in && in.impl() == out.impl(); };
    if (out && (tape->has(out) || std::ranges::any_of(inputs, is_output)))
      fail("recompute: an output is an input, or recorded already (compute it in the scope of a NoGrad)");
  }
  const auto shared = std::make_shared<Recomputation>();
  shared->again = std::move(again);
  shared->gradients.resize(outputs.size());

  std::array<Tensor, kMaxInputs> in;
  std::ranges::copy(inputs, in.begin());
  Tensor first = outputs[0];
  record(kFirst, first, {&in[0], &in[1], &in[2], &in[3]}, {&in[0], &in[1], &in[2], &in[3]},
         Recomputation::Output{shared.get(), 0});
  if (!tape->has(first)) return;
  tape->keep(shared);
  tape->uses_unnamed_leaves();
  for (size_t k = 1; k < outputs.size(); ++k) {
    Tensor out = outputs[k];
    if (out) record(kOther, out, {&first}, {}, Recomputation::Output{shared.get(), k});
  }
}

}  // namespace fade
