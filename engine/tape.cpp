#include "engine/tape.h"

#include <cxxabi.h>

#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <memory>

#include "engine/observe.h"
#include "engine/primitives.h"

namespace fade {

uint32_t Tape::next_id() {
  static std::atomic<uint32_t> counter{0};
  return ++counter;
}

uint32_t Tape::new_slot(const Tensor& t) {
  if (slots_.size() >= kNoSlot) fail("tape: more than {} tensors (call backward or clear)", kNoSlot);
  slots_.push_back({t.shape(), t.dtype(), t.device(), {}});
  TensorImpl* impl = t.impl();
  impl->tape_id = id_;
  return impl->slot = static_cast<uint32_t>(slots_.size() - 1);
}

uint32_t Tape::slot_of(const Tensor& t) {
  if (!t) return kNoSlot;
  if (has(t)) return t.impl()->slot;
  if (!t.requires_grad()) return kNoSlot;
  const uint32_t slot = new_slot(t);
  leaves_.push_back({t, slot, nodes_.size()});
  return slot;
}

namespace {

// A type as it is written in C++.
std::string readable(const std::type_info& type) {
  int status = 0;
  const std::unique_ptr<char, void (*)(void*)> name(
      abi::__cxa_demangle(type.name(), nullptr, nullptr, &status), std::free);
  return status == 0 ? name.get() : type.name();
}

void check_recorded(const OpDef& op, const Tensor& out, std::initializer_list<const Tensor*> inputs,
                    std::initializer_list<const Tensor*> saved) {
  if (inputs.size() > kMaxInputs || saved.size() > kMaxSaved)
    fail("{}: record was given {} inputs and {} saved tensors, a node holds {} and {} (split the operation)",
         op.name, inputs.size(), saved.size(), kMaxInputs, kMaxSaved);
  const auto has_null = [](auto list) { return std::ranges::find(list, nullptr) != list.end(); };
  if (has_null(inputs) || has_null(saved))
    fail("{}: record was given a null pointer (for what was left out, give an empty Tensor)", op.name);
  if (!out) fail("{}: the result given to record is an empty tensor (compute it first)", op.name);
  if (out.requires_grad())
    fail("{}: the result given to record is a leaf (give it a new tensor, or clone() for a copy)", op.name);
}

}  // namespace

Node* Tape::append(const OpDef& op, Tensor& out, std::initializer_list<const Tensor*> inputs,
                   std::initializer_list<const Tensor*> saved) {
  check_recorded(op, out, inputs, saved);
  if (walking_) fail("{}: recorded on a tape during its backward (record on another tape)", op.name);
  if (observer_) observer_->on_output(op, nodes_.size(), out, inputs);
  uint32_t slots[kMaxInputs];
  bool any = false;
  int i = 0;
  for (const Tensor* t : inputs) {
    slots[i] = slot_of(*t);
    any |= slots[i++] != kNoSlot;
  }
  if (!any) return nullptr;
  Node& n = nodes_.emplace_back();
  n.op = &op;
  n.input_count = static_cast<uint8_t>(inputs.size());
  n.saved_count = static_cast<uint8_t>(saved.size());
  std::copy_n(slots, inputs.size(), n.inputs);
  i = 0;
  for (const Tensor* t : saved) n.saved[i++] = {*t, *t ? t->version() : 0};
  n.output = new_slot(out);
  return &n;
}

void Tape::backward(const Tensor& loss, const Tensor& cotangent) {
  if (!loss || !has(loss))
    fail(
        "backward: the loss was not recorded on this tape "
        "(compute it inside a Recording, from a leaf with set_requires_grad(), and once per backward)");
  if (cotangent ? cotangent.shape() != loss.shape() : loss.numel() != 1)
    fail("backward: the loss has shape {}{} (reduce it with sum or mean, or pass a cotangent of its shape)",
         loss.shape().str(), cotangent ? ", the cotangent " + cotangent.shape().str() : "");
  if (cotangent && (cotangent.dtype() != loss.dtype() || cotangent.device() != loss.device()))
    fail("backward: the loss is {} on {}, the cotangent {} on {} (convert it with to)", name_of(loss.dtype()),
         name_of(loss.device()), name_of(cotangent.dtype()), name_of(cotangent.device()));
  if (walking_)
    fail("backward: called by a gradient rule of the same tape (there are no second derivatives)");
  const NoGrad off;
  if (observer_) observer_->on_backward(*this);
  slots_[loss.impl()->slot].grad =
      cotangent ? cotangent : Tensor::full(loss.shape(), 1, loss.dtype(), loss.device());
  walking_ = true;
  try {
    walk_back();
    give_to_leaves();
  } catch (...) {
    walking_ = false;
    clear();  // gradients of a backward that failed must not be added to those of the next
    throw;
  }
  walking_ = false;
  clear();
}

void Tape::walk_back() {
  // Leaves to which rules that are left may add: the first ones, as leaves are in the order of their first nodes.
  const size_t named = leaves_.size();
  size_t open = named;
  for (size_t i = nodes_.size(); i-- > 0;) {
    Node& n = nodes_[i];
    if (Tensor g = std::exchange(slots_[n.output].grad, {})) {
      const uint32_t version = g.version();
      BackwardCtx ctx(*this, n, std::move(g));
      n.op->backward(ctx);
      if (ctx.grad().version() != version)
        fail("{}: its gradient rule changes ctx.grad() in place (change a clone(): others hold it)",
             n.op->name);
      if (observer_) show_gradients(i);
    }
    for (int k = 0; k < n.saved_count; ++k) n.saved[k].tensor = {};
    if (observer_) observer_->on_done(i);
    if (!leaf_hook_) continue;
    for (; open > 0 && i <= std::min(leaves_[open - 1].first_node, first_unnamed_); --open)
      show_final(leaves_[open - 1]);
  }
  for (size_t k = named; leaf_hook_ && k < leaves_.size(); ++k) show_final(leaves_[k]);
}

void Tape::show_final(const Leaf& leaf) const { leaf_hook_(leaf.tensor, slots_[leaf.slot].grad); }

void Tape::give_to_leaves() {
  for (const auto& [leaf, slot, first_node] : leaves_) {
    Tensor g = std::exchange(slots_[slot].grad, {});
    if (!g) continue;
    if (Tensor sum = leaf.grad()) {
      add_into_kernel(g.device(), g, sum);
    } else {
      leaf.set_grad(g.sole_owner() ? g : g.clone());
    }
  }
}

void Tape::clear() {
  if (walking_) fail("clear: called by a gradient rule of the same tape (call it after backward)");
  nodes_.clear();
  slots_.clear();
  leaves_.clear();
  kept_.clear();
  first_unnamed_ = kNone;
  id_ = next_id();
}

void backward(const Tensor& loss, const Tensor& cotangent) {
  Tape* tape = Tape::current();
  if (!tape) fail("backward: nothing is being recorded (put a Recording in scope before computing the loss)");
  tape->backward(loss, cotangent);
}

Tensor BackwardCtx::saved(int i) const {
  check_index("saved tensor", i, node_.saved_count);
  const Node::Saved& s = node_.saved[i];
  if (s.tensor && s.tensor.version() != s.version)
    fail(
        "{}: a tensor saved for backward was modified in place since "
        "(modify a clone, or modify it after backward)",
        node_.op->name);
  return s.tensor;
}

Tensor BackwardCtx::empty_for(int i) const {
  if (!needs(i)) return {};
  const Tape::Slot& slot = tape_.slots_[node_.inputs[i]];
  return Tensor::empty(slot.shape, slot.dtype, slot.device);
}

void BackwardCtx::add(int i, Tensor g) {
  if (!needs(i)) return;
  Tape::Slot& slot = tape_.slots_[node_.inputs[i]];
  check(i, g);
  g = sum_to(g, slot.shape);
  if (!slot.grad) {
    slot.grad = std::move(g);
    return;
  }
  // In place only if nothing else refers to it: a rule may add the same tensor to two inputs.
  add_into_kernel(slot.device, g, own_gradient(i));
}

void BackwardCtx::wrong_index(const char* what, int i, int count) const {
  fail("{}: its gradient rule asks for {} {}, record was given {} (they count from 0)", node_.op->name, what,
       i, count);
}

void BackwardCtx::wrong_attrs(const std::type_info& wanted) const {
  fail(
      "{}: its gradient rule asks for attributes of type {}, record was given {} (use the same type in both)",
      node_.op->name, readable(wanted), readable(*node_.attrs_type));
}

// A gradient of the output's shape may be summed to an input that was broadcast to it.
void BackwardCtx::check(int i, const Tensor& g) const {
  const Tape::Slot &in = tape_.slots_[node_.inputs[i]], &out = tape_.slots_[node_.output];
  if (g && g.dtype() == in.dtype && g.device() == in.device &&
      (g.shape() == in.shape || (g.shape() == out.shape && broadcasts(in.shape, out.shape))))
    return;
  const auto described = [](const Shape& shape, DType dtype, Device device) {
    return fmt::format("{} {} on {}", name_of(dtype), shape.str(), name_of(device));
  };
  fail("{}: its gradient rule gives input {} {}; the input is {} (correct the rule's add({}, ..))",
       node_.op->name, i, g ? described(g.shape(), g.dtype(), g.device()) : "an empty tensor",
       described(in.shape, in.dtype, in.device), i);
}

GradientTarget BackwardCtx::into(int i) {
  Tensor& grad = own_gradient(i);
  const bool add = static_cast<bool>(grad);
  if (!add) grad = empty_for(i);
  return {grad, add};
}

Tensor BackwardCtx::accumulate(int i) {
  Tensor& grad = own_gradient(i);
  if (!grad) {
    const Tape::Slot& slot = tape_.slots_[node_.inputs[i]];
    grad = Tensor::zeros(slot.shape, slot.dtype, slot.device);
  }
  return grad;
}

// The gradient of input i so far (empty: none yet), which nothing else refers to.
Tensor& BackwardCtx::own_gradient(int i) {
  if (!needs(i))
    fail("{}: its gradient rule accumulates into input {}, which needs no gradient (ask needs({}) first)",
         node_.op->name, i, i);
  Tensor& grad = tape_.slots_[node_.inputs[i]].grad;
  if (grad && !grad.sole_owner()) grad = grad.clone();
  return grad;
}

}  // namespace fade
