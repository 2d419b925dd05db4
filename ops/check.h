// Checks that operations share. Each error names the operation, the value found and the value needed.
#pragma once

#include "engine/bad_index.h"
#include "engine/tensor.h"

namespace fade {

/// Throws Error for an empty Tensor{}, which has no shape and no type. `what` is the operation's word for it.
inline void check_given(const char* op, const char* what, const Tensor& x) {
  if (!x) fail("{}: {} is an empty tensor (make one with Tensor::zeros or Tensor::from)", op, what);
}

/// Dimension `dim` of x, counted from the front. Throws Error for an empty Tensor{}, and when there is none.
inline int check_dim(const char* op, const Tensor& x, int dim) {
  check_given(op, "the input", x);
  return x.shape().index(dim);
}

/// Throws Error unless both operands are on one device.
inline void check_same_device(const char* op, const Tensor& a, const Tensor& b) {
  if (a.device() != b.device())
    fail("{}: operands on {} and {} (move one with .to(Device::{}))", op, name_of(a.device()),
         name_of(b.device()), name_of(a.device()));
}

/// Throws Error unless both operands are of one type and on one device.
inline void check_same_type(const char* op, const Tensor& a, const Tensor& b) {
  check_given(op, "the first operand", a);
  check_given(op, "the second operand", b);
  if (a.dtype() != b.dtype())
    fail("{}: {} {} with {} {}: one type is needed (convert with .to(DType::{}))", op, name_of(a.dtype()),
         a.shape().str(), name_of(b.dtype()), b.shape().str(), name_of(a.dtype()));
  check_same_device(op, a, b);
}

/// Throws Error unless the parameter, which the error calls `what`, is of the type that x needs, and on its
/// device: of x's own, but f32 for activations of bf16.
inline void check_parameter_type(const char* op, const char* what, const Tensor& x, const Tensor& parameter) {
  const DType needed = x.dtype() == DType::bf16 ? DType::f32 : x.dtype();
  if (parameter.dtype() != needed)
    fail("{}: {} is a tensor of {}, activations of {} need {} (convert with .to(DType::{}))", op, what,
         name_of(parameter.dtype()), name_of(x.dtype()), name_of(needed), name_of(needed));
  check_same_device(op, x, parameter);
}

/// Throws Error unless `x`, which the error calls `what`, has `dims` dimensions.
inline void check_dims(const char* op, const char* what, const Tensor& x, int dims) {
  check_given(op, what, x);
  if (x.shape().dims() != dims)
    fail("{}: {} has shape {}, needs {} dimensions", op, what, x.shape().str(), dims);
}

/// Throws Error unless `x`, which the error calls `what`, has this shape.
inline void check_shape(const char* op, const char* what, const Tensor& x, const Shape& shape) {
  check_given(op, what, x);
  if (x.shape() != shape) fail("{}: {} has shape {}, needs {}", op, what, x.shape().str(), shape.str());
}

/// Throws Error unless `x`, which the error calls `what`, is of type `t`.
inline void check_type(const char* op, const char* what, const Tensor& x, DType t) {
  check_given(op, what, x);
  if (x.dtype() != t)
    fail("{}: {} is a tensor of {}, needs {} (convert with .to(DType::{}))", op, what, name_of(x.dtype()),
         name_of(t), name_of(t));
}

/// For CPU kernels: throws InputError for an element of `index` (i32) outside [lowest, size), which the
/// error calls `what`.
inline void check_indices(const char* op, const char* what, const Tensor& index, int64_t lowest,
                          int64_t size) {
  const int32_t* at = index.data<int32_t>();
  for (int64_t place = 0; place < index.numel(); ++place) {
    if (at[place] < lowest || at[place] >= size)
      refuse_index(
          {.op = op, .what = what, .index = at[place], .place = place, .lowest = lowest, .size = size});
  }
}

}  // namespace fade
