// The tape: what was computed, in order, so that it can be walked backwards.
//
//   Recording on;                        // from here on, operations are recorded
//   Tensor loss = cross_entropy(model(x), y);
//   backward(loss);                      // adds d loss / d p to p.grad() of every leaf p with requires_grad
//
// An operation computes its result, then calls record(): which OpDef, from which inputs, and which tensors
// its gradient rule will want. A node is a plain value in the tape's vector. Going back is one reverse loop
// that frees what each node saved, and each spent gradient, as it passes. Gradients of gradients are not
// supported.
#pragma once

#include <cstddef>
#include <cstring>
#include <initializer_list>
#include <type_traits>
#include <vector>

#include "engine/tensor.h"

namespace fade {

class BackwardCtx;

/// A kind of operation: its name, and its gradient rule.
struct OpDef {
  const char* name;
  void (*backward)(BackwardCtx&);
};

inline constexpr int kMaxInputs = 6, kMaxSaved = 8, kMaxAttrs = 80;
inline constexpr uint32_t kNoSlot = ~uint32_t{0};

struct NoAttrs {};

/// One recorded operation.
struct Node {
  struct Saved {
    Tensor tensor;
    uint32_t version = 0;
  };
  const OpDef* op;
  uint32_t inputs[kMaxInputs];  ///< slots; kNoSlot for a constant
  uint32_t output;
  uint8_t input_count, saved_count;
  Saved saved[kMaxSaved];
  alignas(8) std::byte attrs[kMaxAttrs];
};

/// Sees what happens on a tape, for checks and traces.
class TapeObserver {
 public:
  virtual ~TapeObserver() = default;
  /// `op` has computed `out`, as node `node` of the tape if a gradient can reach an input.
  virtual void on_output(const OpDef& op, size_t node, const Tensor& out,
                         std::initializer_list<const Tensor*> inputs) = 0;
  /// On the way back, node `node` has added to the gradient of its input `input`.
  virtual void on_gradient(const OpDef& op, size_t node, int input, const Tensor& gradient) = 0;
};

class Tape {
 public:
  Tape() : id_(next_id()) {}
  Tape(const Tape&) = delete;
  Tape& operator=(const Tape&) = delete;

  /// The tape that operations of this thread record on; nullptr when nothing is recorded.
  static Tape* current() { return current_; }

  size_t size() const { return nodes_.size(); }           ///< recorded nodes
  const Node& node(size_t i) const { return nodes_[i]; }  ///< node i, in the order of recording
  bool has(const Tensor& t) const { return t.impl()->tape_id == id_; }

  /// Walks the tape backwards from `loss` and adds the gradients to grad() of the leaves. `cotangent` (loss's
  /// shape) is the gradient to start from; without one, loss must have one element and starts from 1. The
  /// tape is empty afterwards, also when a gradient rule throws. Throws when `loss` was not recorded here.
  void backward(const Tensor& loss, const Tensor& cotangent = {});

  /// Forgets all that was recorded. Tensors produced so far become constants.
  void clear();

  template <class Attrs>
  void record(const OpDef& op, Tensor& out, std::initializer_list<const Tensor*> inputs,
              std::initializer_list<const Tensor*> saved, const Attrs& attrs) {
    static_assert(sizeof(Attrs) <= kMaxAttrs && std::is_trivially_copyable_v<Attrs>);
    if (Node* n = record_node(op, out, inputs, saved)) std::memcpy(n->attrs, &attrs, sizeof(Attrs));
  }

 private:
  friend class BackwardCtx;
  friend struct TapeTestAccess;  // tests plant bugs in recorded nodes
  friend class Recording;
  friend class NoGrad;
  friend class Observing;

  /// What a gradient that arrives at a tensor must look like, and the gradient so far.
  struct Slot {
    Shape shape;
    DType dtype;
    Device device;
    Tensor grad;
  };

  /// A tensor with requires_grad that was used, and where its gradient gathers. The slot is kept here, too,
  /// because an inner tape that uses the same leaf overwrites the one in the tensor.
  struct Leaf {
    Tensor tensor;
    uint32_t slot;
  };

  void walk_back();
  void show_gradients(size_t node) const;
  void give_to_leaves();
  static uint32_t next_id();
  uint32_t slot_of(const Tensor& t);
  uint32_t new_slot(const Tensor& t);
  Node* record_node(const OpDef& op, Tensor& out, std::initializer_list<const Tensor*> inputs,
                    std::initializer_list<const Tensor*> saved);

  static inline thread_local Tape* current_ = nullptr;
  uint32_t id_;
  std::vector<Node> nodes_;
  std::vector<Slot> slots_;
  std::vector<Leaf> leaves_;
  TapeObserver* observer_ = nullptr;
};

/// While in scope, `observer` sees what happens on the tape.
class Observing {
 public:
  Observing(Tape& tape, TapeObserver& observer)
      : tape_(tape), previous_(std::exchange(tape.observer_, &observer)) {}
  ~Observing() { tape_.observer_ = previous_; }
  Observing(const Observing&) = delete;
  Observing& operator=(const Observing&) = delete;

 private:
  Tape& tape_;
  TapeObserver* previous_;
};

/// While in scope, operations are recorded, on its own tape or on one that is kept from step to step.
class Recording {
 public:
  Recording() : Recording(own_) {}
  explicit Recording(Tape& tape) : previous_(std::exchange(Tape::current_, &tape)) {}
  ~Recording() { Tape::current_ = previous_; }
  Recording(const Recording&) = delete;
  Recording& operator=(const Recording&) = delete;

 private:
  Tape own_;
  Tape* previous_;
};

/// A hole in a Recording: while in scope, nothing is recorded.
class NoGrad {
 public:
  NoGrad() : previous_(std::exchange(Tape::current_, nullptr)) {}
  ~NoGrad() { Tape::current_ = previous_; }
  NoGrad(const NoGrad&) = delete;
  NoGrad& operator=(const NoGrad&) = delete;

 private:
  Tape* previous_;
};

/// Tape::backward on the tape in scope. Throws, and says what to do, when nothing is being recorded.
void backward(const Tensor& loss, const Tensor& cotangent = {});

/// Records `out` = op(inputs) if a tape is in scope and a gradient can reach an input. An input may be an
/// empty tensor (an optional argument that was left out). `saved` is what the gradient rule will ask for by
/// position.
template <class Attrs = NoAttrs>
void record(const OpDef& op, Tensor& out, std::initializer_list<const Tensor*> inputs,
            std::initializer_list<const Tensor*> saved, const Attrs& attrs = {}) {
  if (Tape* tape = Tape::current()) tape->record(op, out, inputs, saved, attrs);
}

/// What a gradient rule sees: the gradient that arrived at its output, what was saved, and where gradients
/// go.
class BackwardCtx {
 public:
  BackwardCtx(Tape& tape, Node& node, Tensor grad) : tape_(tape), node_(node), grad_(std::move(grad)) {}

  const Tensor& grad() const { return grad_; }  ///< gradient of the loss with respect to the output

  /// True iff input i wants a gradient: what nobody needs is not computed.
  bool needs(int i) const { return node_.inputs[i] != kNoSlot; }

  /// Saved tensor i; an empty one if that was saved. Throws when it was modified in place since.
  Tensor saved(int i) const;

  template <class Attrs>
  Attrs attrs() const {
    Attrs a;
    std::memcpy(&a, node_.attrs, sizeof a);
    return a;
  }

  /// A tensor with undefined contents for the gradient of input i; no tensor when !needs(i), which kernels
  /// take for "not needed".
  Tensor empty_for(int i) const;

  /// Adds g to the gradient of input i. A g of the shape that input i was broadcast to is summed down first,
  /// here, for every rule. No-op when !needs(i).
  void add(int i, Tensor g);

  /// The gradient of input i as a tensor to be added to in place (zeros at first), for rules that touch only
  /// part of it. Only when needs(i).
  Tensor accumulate(int i);

 private:
  friend struct TapeTestAccess;
  Tape& tape_;
  Node& node_;
  Tensor grad_;
};

}  // namespace fade
