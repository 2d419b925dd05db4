#include "engine/tensor.h"

#include "engine/primitives.h"
#include "engine/tape.h"

namespace fade {

Tensor::Tensor(std::shared_ptr<Storage> storage, const Shape& shape, DType dtype, int64_t offset)
    : p_(std::make_shared<TensorImpl>(
          TensorImpl{.storage = std::move(storage), .shape = shape, .dtype = dtype, .offset = offset})) {}

Tensor Tensor::empty(const Shape& shape, DType dtype, Device device) {
  const size_t bytes = static_cast<size_t>(shape.numel()) * size_of(dtype);
  return {std::make_shared<Storage>(bytes, device), shape, dtype, 0};
}

Tensor Tensor::zeros(const Shape& shape, DType dtype, Device device) {
  Tensor t = empty(shape, dtype, device);
  backend(device).zero(t.mutate_bytes(), t.size_bytes());
  return t;
}

Tensor Tensor::full(const Shape& shape, double value, DType dtype, Device device) {
  Tensor t = empty(shape, dtype, device);
  fill_kernel(device, value, t);
  return t;
}

double Tensor::item() const {
  if (numel() != 1)
    fail(
        "item: the tensor has shape {}, needs exactly one element (reduce it with sum or mean, or use to_vector)",
        shape().str());
  const Tensor host = to(Device::cpu);
  return dispatch_any(dtype(), [&]<class T>() { return static_cast<double>(*host.data<T>()); });
}

Tensor Tensor::to(Device d) const {
  if (d == device()) return *this;
  Tensor out = empty(shape(), dtype(), d);
  out.copy_from(*this);
  return out;
}

Tensor Tensor::to(DType t) const {
  if (t == dtype()) return *this;
  Tensor out = empty(shape(), t, device());
  convert_kernel(device(), *this, out);
  return out;
}

Tensor Tensor::clone() const {
  Tensor out = empty_like(*this);
  out.copy_from(*this);
  return out;
}

void Tensor::copy_from(const Tensor& src) const {
  if (src.shape() != shape() || src.dtype() != dtype())
    fail("copy_from: {} {} into {} {} (convert with to, or give it the same shape with view)",
         name_of(src.dtype()), src.shape().str(), name_of(dtype()), shape().str());
  const Device by = device() == Device::cpu ? src.device() : device();  // an accelerator does its own copies
  backend(by).copy(mutate_bytes(), device(), src.data_bytes(), src.device(), size_bytes());
}

void Tensor::set_grad(const Tensor& g) const {
  if (g && (g.shape() != shape() || g.dtype() != dtype() || g.device() != device()))
    fail("set_grad: {} {} on {} for a leaf of {} {} on {} (make it like the leaf: Tensor::empty_like)",
         name_of(g.dtype()), g.shape().str(), name_of(g.device()), name_of(dtype()), shape().str(),
         name_of(device()));
  used("set_grad").grad = g.p_;
}

Tensor Tensor::view(const Shape& s) const {
  if (s.numel() != numel())
    fail("view: cannot view {} ({} elements) as {} ({} elements; the numbers must be the same)",
         shape().str(), numel(), s.str(), s.numel());
  return {p_->storage, s, dtype(), p_->offset};
}

Tensor Tensor::rows(int64_t begin, int64_t end) const {
  if (begin < 0 || end < begin || end > size(0))
    fail("rows: [{},{}) is outside the first dimension of {} (needs 0 <= begin <= end <= {})", begin, end,
         shape().str(), size(0));
  Shape s = shape();
  s.set(0, end - begin);
  return {p_->storage, s, dtype(), p_->offset + begin * shape().numel(1, shape().dims())};
}

Tensor Tensor::append(const Tensor& more) const {
  Shape all = shape(), wanted = shape();
  all.set(0, size(0) + more.size(0));
  wanted.set(0, more.size(0));
  if (more.shape() != wanted || more.dtype() != dtype() || more.device() != device())
    fail("append: {} {} on {} below {} {} on {} (rows of one type, device and size)", name_of(more.dtype()),
         more.shape().str(), name_of(more.device()), name_of(dtype()), shape().str(), name_of(device()));
  const auto write = [&](const Tensor& to) {  // no version: nothing that a tensor names is written
    auto* const end = static_cast<std::byte*>(to.bytes()) + size_bytes();
    backend(device()).copy(end, device(), more.bytes(), device(), more.size_bytes());
    return to;
  };
  Storage& here = *p_->storage;
  const size_t begin = static_cast<size_t>(p_->offset) * size_of(dtype()), end = begin + size_bytes();
  if (end == here.used && end + more.size_bytes() <= here.bytes) {
    here.used = end + more.size_bytes();
    return write({p_->storage, all, dtype(), p_->offset});
  }
  const size_t used = size_bytes() + more.size_bytes();
  const auto storage = std::make_shared<Storage>(used + used / 2, device());
  storage->used = used;
  const Tensor copied{storage, all, dtype(), 0};
  copied.rows(0, size(0)).copy_from(*this);
  return write(copied);
}

Tensor& Tensor::set_requires_grad(bool on) {
  if (on && (dtype() == DType::i32 || dtype() == DType::u8))
    fail("set_requires_grad: a tensor of {} has no gradient (use f32 or f64)", name_of(dtype()));
  if (const Tape* tape = Tape::current(); on && !requires_grad() && tape && tape->has(*this))
    fail(
        "set_requires_grad: this tensor is the result of a recorded operation, not a leaf "
        "(mark the tensors that it was computed from, or its clone())");
  used("set_requires_grad").requires_grad = on;
  return *this;
}

void Tensor::is_empty(const char* function) {
  fail(
      "{}: the tensor is empty: it has no shape, type or memory (make one with Tensor::zeros or Tensor::from; "
      "a grad() is empty until a backward reaches its leaf)",
      function);
}

void Tensor::wrong_type(DType wanted) const {
  fail("data: the tensor holds {}, read as {} (convert with .to(DType::{}))", name_of(dtype()),
       name_of(wanted), name_of(wanted));
}

}  // namespace fade
