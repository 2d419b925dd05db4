// Tensor: a handle to a row-major array on a device.
//
// A handle is cheap to copy; copies name the same array. `data` reads, `mutate` is the only way to write what a tensor
// names, and every use of it advances the storage's version: the tape notices when a saved tensor was modified in
// place. A tensor produced while recording holds two integers, {tape id, slot}, and never a pointer to a
// node, so that there are no reference cycles (engine/tape.h).
#pragma once

#include <algorithm>
#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

#include "engine/alloc.h"
#include "engine/device.h"
#include "engine/dtype.h"
#include "engine/print.h"
#include "engine/shape.h"

/// All of fade: the engine, its operations, layers, models, and their training.
namespace fade {

/// The memory behind one or more tensors.
struct Storage {
  /// `size` bytes on `d`, contents undefined. Throws as allocate does.
  Storage(size_t size, Device d) : device(d), bytes(size), used(size), data(allocate(size, d)) {}
  ~Storage() { release(data, bytes, device); }
  Storage(const Storage&) = delete;
  Storage& operator=(const Storage&) = delete;

  Device device;         ///< where the memory is
  uint32_t version = 0;  ///< how often it was written: uses of Tensor::mutate
  size_t bytes;          ///< its size
  size_t used;           ///< of them those that tensors name: the rest is room for Tensor::append
  void* data;            ///< first byte, 64-byte aligned
};

/// What the handles of a tensor share.
struct TensorImpl {
  std::shared_ptr<Storage> storage;            ///< the memory; views share it
  Shape shape;                                 ///< sizes
  DType dtype;                                 ///< type of the elements
  int64_t offset = 0;                          ///< first element within the storage
  bool requires_grad = false;                  ///< a leaf
  uint32_t tape_id = 0;                        ///< the tape on which it has a slot (engine/tape.h); 0: none
  uint32_t slot = 0;                           ///< the slot
  std::shared_ptr<TensorImpl> grad = nullptr;  ///< of a leaf: the accumulated gradient
};

/// A handle to an array. An empty one is no array, and false as a condition.
class Tensor {
 public:
  /// An empty tensor, without memory: false as a condition. Functions that need shape, type, device or memory
  /// throw, as do operations.
  Tensor() = default;

  /// A new tensor with undefined contents.
  static Tensor empty(const Shape& shape, DType dtype = DType::f32, Device device = Device::cpu);
  /// A new tensor of t's shape, type and device, with undefined contents; an empty tensor if t is one.
  static Tensor empty_like(const Tensor& t) { return t ? empty(t.shape(), t.dtype(), t.device()) : Tensor{}; }
  /// A new tensor of zeros. Throws as allocate does, as all new tensors do.
  static Tensor zeros(const Shape& shape, DType dtype = DType::f32, Device device = Device::cpu);
  /// A new tensor whose elements are all `value`, converted to the type.
  static Tensor full(const Shape& shape, double value, DType dtype = DType::f32, Device device = Device::cpu);
  /// A CPU tensor with a copy of `values`, a vector or span, row-major. Throws when there are not
  /// shape.numel() of them.
  template <class Values>
  static Tensor from(const Values& values, const Shape& shape) {
    if (std::ssize(values) != shape.numel())
      fail("Tensor::from: {} values for shape {} of {} elements (the numbers must be the same)",
           values.size(), shape.str(), shape.numel());
    using T = typename Values::value_type;
    Tensor t = empty(shape, dtype_of<T>);
    std::ranges::copy(values, t.mutate<T>());
    return t;
  }
  /// A 0-dimensional tensor.
  static Tensor scalar(double value, DType dtype = DType::f32, Device device = Device::cpu) {
    return full({}, value, dtype, device);
  }

  explicit operator bool() const { return static_cast<bool>(p_); }  ///< false for an empty tensor
  const Shape& shape() const { return used("shape").shape; }        ///< sizes, outermost first
  /// Size of dimension `dim`; negative `dim` counts from the end. Throws when there is no such dimension.
  int64_t size(int dim) const { return used("size").shape[dim]; }
  int64_t numel() const { return used("numel").shape.numel(); }     ///< number of elements
  DType dtype() const { return used("dtype").dtype; }               ///< type of the elements
  Device device() const { return used("device").storage->device; }  ///< where the memory is

  /// First element, for reading, in the memory of the tensor's device. Throws when T is not
  /// the tensor's type.
  template <class T>
  const T* data() const {
    return typed<T>();
  }
  /// First element, for writing: advances the storage's version.
  template <class T>
  T* mutate() const {
    ++used("mutate").storage->version;
    return typed<T>();
  }
  /// First byte, for writing: advances the storage's version.
  void* mutate_bytes() const {
    ++used("mutate").storage->version;
    return bytes();
  }
  const void* data_bytes() const { return bytes(); }  ///< first byte, for reading
  size_t size_bytes() const { return static_cast<size_t>(numel()) * size_of(dtype()); }  ///< of all elements

  /// The value of a one-element tensor of any device and type. Throws when it has none or several.
  double item() const;
  /// All values as T (which must be the tensor's type), copied to the host.
  template <class T>
  std::vector<T> to_vector() const {
    const Tensor host = to(Device::cpu);
    const T* p = host.data<T>();
    return {p, p + numel()};
  }

  /// Copies on another device or of another type (values converted). Not recorded: the result is a constant.
  /// Returns the tensor itself when nothing changes.
  Tensor to(Device device) const;
  /// The same of another type: values are converted.
  Tensor to(DType dtype) const;
  /// A copy. Not recorded.
  Tensor clone() const;
  /// Overwrites the values with those of `src`: same shape and type, any device. Throws otherwise.
  void copy_from(const Tensor& src) const;

  /// The same memory under another shape with the same number of elements. Not recorded (ops/layout has
  /// the recorded one). Throws when the numbers differ.
  Tensor view(const Shape& shape) const;
  /// Rows [begin, end) of the first dimension, the same memory. Not recorded. Throws when they are outside.
  Tensor rows(int64_t begin, int64_t end) const;
  /// `more` below these rows, along the first dimension. Not recorded. Copies only `more`, into the memory of these
  /// rows, if that has room after them that no other tensor has been given; all rows otherwise, into memory with room
  /// for half as many again. Throws when types, devices or sizes of a row differ, or there is no first dimension.
  Tensor append(const Tensor& more) const;
  /// The same memory as a constant: gradients stop here.
  Tensor detach() const { return view(shape()); }

  bool requires_grad() const { return used("requires_grad").requires_grad; }  ///< true for a leaf
  /// Marks a leaf (a parameter): backward adds its gradient to grad(). Throws for a tensor of integers, and
  /// for the result of an operation that the tape in scope has recorded.
  Tensor& set_requires_grad(bool on = true);
  /// The accumulated gradient; an empty tensor before the first backward that reached this leaf.
  Tensor grad() const { return Tensor(used("grad").grad); }
  /// Throws when `g`, unless it is an empty tensor, has another shape, type or device.
  void set_grad(const Tensor& g) const;
  void zero_grad() const { used("zero_grad").grad = {}; }  ///< forgets the gradient

  /// True iff no other handle or view refers to the memory. The handles of a tensor belong to one thread.
  bool sole_owner() const { return p_.use_count() == 1 && p_->storage.use_count() == 1; }
  uint32_t version() const { return used("version").storage->version; }  ///< of the storage: uses of mutate
  TensorImpl* impl() const { return p_.get(); }  ///< for the tape; null for an empty tensor

 private:
  explicit Tensor(std::shared_ptr<TensorImpl> p) : p_(std::move(p)) {}
  Tensor(std::shared_ptr<Storage> storage, const Shape& shape, DType dtype, int64_t offset);
  void* bytes() const {
    const TensorImpl& p = used("data");
    return static_cast<std::byte*>(p.storage->data) + static_cast<size_t>(p.offset) * size_of(p.dtype);
  }
  template <class T>
  T* typed() const {
    if (used("data").dtype != dtype_of<T>) wrong_type(dtype_of<T>);
    return static_cast<T*>(bytes());
  }
  TensorImpl& used(const char* function) const {
    if (!p_) is_empty(function);
    return *p_;
  }
  [[noreturn]] static void is_empty(const char* function);
  [[noreturn]] void wrong_type(DType wanted) const;

  std::shared_ptr<TensorImpl> p_;
};

/// A tensor and its name, as files hold it.
struct NamedTensor {
  std::string name;  ///< "layers.0.attn.query.weight"
  Tensor tensor;     ///< its values
};

}  // namespace fade
