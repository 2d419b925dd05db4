// The tape: what was computed, in order, so that gradients can be computed in the reverse order.
//
//   Recording on;                          // from here on, operations are recorded
//   Tensor y = matmul(x, w);               // x and w are leaves: set_requires_grad()
//   Tensor loss = mean(y);
//   backward(loss);                        // adds d loss / d x to x.grad(), d loss / d w to w.grad()
//
// The tape (its id is 7, say) just before backward:
//
//   tensors            slots_: gradients     nodes_: operations in order
//   x     {7, 0}       0: of x               matmul: inputs 0 1, output 2, its rule, saved tensors x w
//   w     {7, 1}       1: of w               mean:   input 2,    output 3, its rule
//   y     {7, 2}       2: of y               leaves_: tensors with requires_grad
//   loss  {7, 3}       3: of loss            x: slot 0    w: slot 1
//
// A tensor knows its tape and slot, {tape id, slot}; a node knows the slots of its inputs and of its output.
// backward puts 1 into the slot of the loss and walks nodes_ from the last to the first: a node's rule takes
// the gradient in its output's slot and adds to those in its inputs' slots. What the node saved, and each
// spent gradient, is freed on the way. At the end the gradients in the leaves' slots are added to grad().
//
// clear(), with which backward ends, gives the tape a new id. A tensor with an old id is a constant (a leaf
// gets a new slot when it is used again): what one step computed, such as the memory of a transformer, has no
// gradient in the next, which is truncated back-propagation through time without a call of detach().
//
// Gradients of gradients are not supported.
#pragma once

#include <cstddef>
#include <cstring>
#include <functional>
#include <initializer_list>
#include <limits>
#include <memory>
#include <type_traits>
#include <typeinfo>
#include <utility>
#include <vector>

#include "engine/module_scope.h"
#include "engine/tensor.h"

namespace fade {

class BackwardCtx;
class TapeObserver;  // engine/observe.h

/// A kind of operation: its name and its gradient rule.
struct OpDef {
  const char* name;                ///< in errors and traces; a static string
  void (*backward)(BackwardCtx&);  ///< the gradient rule: adds the gradients of the inputs that need one
};

/// A node holds its inputs, saved tensors and attributes inline, so that recording allocates nothing.
/// span_attention, the largest operation, sets the limits: 4 inputs (q, kv, pos, span), 9 saved tensors
/// (those, start, age, kept, its two results) and 72 of the 80 bytes of attributes (SpanAttentionSizes).
inline constexpr int kMaxInputs = 4;
inline constexpr int kMaxSaved = 9;                ///< saved tensors of a node
inline constexpr int kMaxAttrs = 80;               ///< bytes of attributes of a node
inline constexpr uint32_t kNoSlot = ~uint32_t{0};  ///< in place of a slot: of a constant

/// The attributes of an operation that has none.
struct NoAttrs {};

/// One recorded operation.
struct Node {
  /// A tensor that the gradient rule reads.
  struct Saved {
    Tensor tensor;         ///< what was given to record
    uint32_t version = 0;  ///< of its storage, then
  };
  // cppcheck-suppress uninitMemberVar ; on purpose
  Node() {}  ///< not zeroed: recording is short, and sets what it uses

  const OpDef* op;                        ///< the operation
  uint32_t inputs[kMaxInputs];            ///< slots; kNoSlot for a constant
  uint32_t output;                        ///< slot of the result
  uint8_t input_count;                    ///< inputs in use
  uint8_t saved_count;                    ///< saved tensors in use
  const std::type_info* attrs_type;       ///< the type given to record
  Saved saved[kMaxSaved];                 ///< in the order given to record
  alignas(8) std::byte attrs[kMaxAttrs];  ///< a copy of the attributes
};

/// During backward: `leaf`, and its gradient of this backward (empty: none came), to which no rule that is left adds.
using LeafHook = std::function<void(const Tensor& leaf, const Tensor& gradient)>;

/// A list of recorded operations, and the slots of their gradients.
class Tape {
 public:
  Tape() : id_(next_id()) {}  ///< empty
  Tape(const Tape&) = delete;
  Tape& operator=(const Tape&) = delete;

  /// The tape that operations of this thread record on; nullptr when nothing is recorded.
  static Tape* current() { return current_; }

  size_t size() const { return nodes_.size(); }           ///< recorded nodes
  const Node& node(size_t i) const { return nodes_[i]; }  ///< node i, in the order of recording
  /// True when `t` has a slot here, as backward needs it of a loss.
  bool has(const Tensor& t) const { return t && t.impl()->tape_id == id_; }

  /// Walks the tape backwards from `loss` and adds the gradients to grad() of the leaves. `cotangent` (of
  /// the loss's shape and type) is the gradient to start from; without one, loss must have one element and
  /// starts from 1. The tape is empty afterwards, also when a gradient rule throws. Throws when `loss` was
  /// not recorded here, and when a gradient rule of this tape calls it.
  void backward(const Tensor& loss, const Tensor& cotangent = {});

  /// Forgets all that was recorded. Tensors produced so far become constants.
  void clear();

  /// For record(): appends a node, without attributes; nullptr when no gradient can reach an input.
  Node* append(const OpDef& op, Tensor& out, std::initializer_list<const Tensor*> inputs,
               std::initializer_list<const Tensor*> saved);

  /// Keeps `object`, to which attributes of nodes point, until these nodes are forgotten.
  void keep(std::shared_ptr<const void> object) { kept_.push_back(std::move(object)); }

  /// Says that the rule of the last node may add to leaves that no node names.
  void uses_unnamed_leaves() { first_unnamed_ = std::min(first_unnamed_, nodes_.size() - 1); }

  /// From now on backward calls `hook` (none: an empty one) once per leaf, while it still walks, in the order in which
  /// gradients become final: a leaf's does with the rule of the first node that may use it. grad() of the leaf is still what it
  /// was before this backward. Returns the previous hook. (A leaf that another tape recorded in between has two gradients.)
  LeafHook on_final(LeafHook hook) { return std::exchange(leaf_hook_, std::move(hook)); }

  /// `observer` (nullptr: none) is told what happens from now on. Returns the previous one. See Observing.
  TapeObserver* observe(TapeObserver* observer) { return std::exchange(observer_, observer); }

  /// While in scope, operations of this thread are recorded on `tape` (nullptr: not recorded).
  class Scope {
   public:
    /// `tape` must outlive the scope.
    explicit Scope(Tape* tape) : previous_(std::exchange(current_, tape)) {}
    ~Scope() { current_ = previous_; }
    Scope(const Scope&) = delete;
    Scope& operator=(const Scope&) = delete;

   private:
    Tape* previous_;
  };

 private:
  friend class BackwardCtx;
  friend struct Recomputation;   // engine/recompute.cpp: walks a tape as a part of another
  friend struct TapeTestAccess;  // tests plant bugs in recorded nodes

  /// The gradient of a tensor so far, and what it must look like.
  struct Slot {
    Shape shape;
    DType dtype;
    Device device;
    Tensor grad;
  };

  /// A tensor with requires_grad that was used, and its slot. The tensor knows its slot too, but a second
  /// tape that uses the same leaf overwrites that.
  struct Leaf {
    Tensor tensor;
    uint32_t slot;
    size_t first_node;  ///< that uses it; 0 if nodes do not name it
  };

  void walk_back();
  void show_final(const Leaf& leaf) const;
  void give_to_leaves();
  void show_gradients(size_t node) const;  // in observe.cpp
  static uint32_t next_id();
  uint32_t slot_of(const Tensor& t);
  uint32_t new_slot(const Tensor& t);

  static inline thread_local Tape* current_ = nullptr;
  uint32_t id_;
  std::vector<Node> nodes_;
  std::vector<Slot> slots_;
  std::vector<Leaf> leaves_;
  std::vector<std::shared_ptr<const void>> kept_;
  static constexpr size_t kNone = std::numeric_limits<size_t>::max();
  size_t first_unnamed_ = kNone;  // node that may use leaves that no node names
  bool walking_ = false;          // back, in backward
  LeafHook leaf_hook_;
  TapeObserver* observer_ = nullptr;
};

/// While in scope, operations are recorded: on its own tape, or on one that is kept from step to step.
class Recording {
 public:
  Recording() : scope_(&own_) {}                     ///< on its own tape
  explicit Recording(Tape& tape) : scope_(&tape) {}  ///< on `tape`, which must outlive it

 private:
  Tape own_;
  Tape::Scope scope_;
};

/// A hole in a Recording: while in scope, nothing is recorded. It is work of its own in the present module.
class NoGrad {
 public:
  /// Nothing is recorded from here on.
  NoGrad() : scope_(nullptr), work_(ModuleScope::current()) {}

 private:
  Tape::Scope scope_;
  ModuleScope work_;
};

/// Tape::backward on the tape in scope. Throws, and says what to do, when nothing is being recorded.
void backward(const Tensor& loss, const Tensor& cotangent = {});

/// Records `out` = op(inputs) if a tape is in scope and a gradient can reach an input. An input may be an
/// empty tensor (an optional argument that was left out). `saved` are the tensors that the gradient rule
/// reads, `attrs` a small struct of numbers. Throws for a null pointer, for too many tensors, and for a result
/// that is an empty tensor or a leaf. The rule asks for saved tensors by position; an operation names the
/// positions in an enum next to the rule, in the order of this list:
///
///   enum Saved : int { kX, kWeight };
///   void scale_columns_backward(BackwardCtx& ctx) {
///     ctx.add(0, mul(ctx.grad(), ctx.saved(kWeight)));  // input 0, x
///     ctx.add(1, mul(ctx.grad(), ctx.saved(kX)));       // input 1, weight
///   }
///   constexpr OpDef kScaleColumns{"scale_columns", scale_columns_backward};
///   ...
///   record(kScaleColumns, y, {&x, &weight}, {&x, &weight});
template <class Attrs = NoAttrs>
void record(const OpDef& op, Tensor& out, std::initializer_list<const Tensor*> inputs,
            std::initializer_list<const Tensor*> saved, const Attrs& attrs = {}) {
  static_assert(std::is_trivially_copyable_v<Attrs>,
                "record: attributes are copied as bytes: give it a struct of numbers, without std::string, "
                "std::vector or Tensor (tensors go into the list of saved ones)");
  static_assert(
      sizeof(Attrs) <= kMaxAttrs,
      "record: a node holds kMaxAttrs bytes of attributes: keep larger data in a tensor and save that");
  Tape* const tape = Tape::current();
  if (!tape) return;
  Node* const node = tape->append(op, out, inputs, saved);
  if (!node) return;
  std::memcpy(node->attrs, &attrs, sizeof attrs);
  node->attrs_type = &typeid(Attrs);
}

/// Where a gradient rule writes a gradient itself (BackwardCtx::into).
struct GradientTarget {
  Tensor tensor;  ///< of the input's shape and type
  bool add;       ///< to what it holds; else its contents are undefined
};

/// What a gradient rule sees: the gradient of its output, what was saved, and where gradients are added.
class BackwardCtx {
 public:
  /// For the tape: `node`, and the gradient of its output.
  BackwardCtx(Tape& tape, Node& node, Tensor grad) : tape_(tape), node_(node), grad_(std::move(grad)) {}

  /// Gradient of the loss with respect to the output. Not to be changed in place: others may hold it.
  const Tensor& grad() const { return grad_; }

  /// True iff input i needs a gradient. A rule does not compute a gradient that nothing needs. Throws when
  /// the operation has no input i.
  bool needs(int i) const {
    check_index("input", i, node_.input_count);
    return node_.inputs[i] != kNoSlot;
  }

  /// Saved tensor i, in the order given to record; an empty one if that was saved. Throws when it was
  /// modified in place since, or when there is none.
  Tensor saved(int i) const;

  /// The attributes given to record. Throws when they were of another type.
  template <class Attrs>
  Attrs attrs() const {
    if (typeid(Attrs) != *node_.attrs_type) wrong_attrs(typeid(Attrs));
    Attrs a;
    std::memcpy(&a, node_.attrs, sizeof a);
    return a;
  }

  /// A tensor for the gradient of input i, with undefined contents; an empty tensor when !needs(i), which
  /// kernels take for "not needed".
  Tensor empty_for(int i) const;

  /// Adds g to the gradient of input i. Where input i was broadcast to the output's shape, g may have that
  /// shape, and is summed over the broadcast dimensions first, so that rules need not do it. No-op when
  /// !needs(i). Throws, naming the operation, when g has another shape, type or device than the input.
  void add(int i, Tensor g);

  /// Where a rule writes the gradient of input i itself, or adds it to those of other operations: nothing is
  /// added afterwards. Only when needs(i). The target must be gone before the next call for i.
  GradientTarget into(int i);

  /// The gradient of input i as a tensor to be added to in place (zeros at first), for rules that touch only
  /// part of it. Only when needs(i).
  Tensor accumulate(int i);

 private:
  friend struct Recomputation;
  friend struct TapeTestAccess;
  void check(int i, const Tensor& g) const;
  Tensor& own_gradient(int i);
  void check_index(const char* what, int i, int count) const {
    if (i < 0 || i >= count) wrong_index(what, i, count);
  }
  [[noreturn]] void wrong_index(const char* what, int i, int count) const;
  [[noreturn]] void wrong_attrs(const std::type_info& wanted) const;
  Tape& tape_;
  Node& node_;
  Tensor grad_;
};

}  // namespace fade
