#include "engine/kernel.h"

namespace fade {

void KernelPlaces::add(Device d, Place place) {
  const auto i = static_cast<size_t>(d);
  (places_[i].file ? second_ : places_)[i] = place;
}

void KernelPlaces::refuse_call(Device d) const {
  const auto i = static_cast<size_t>(d);
  const Place &place = places_[i], &other = second_[i];
  if (other.file)
    fail(
        "{}: two {} kernels are registered, at {}:{} and at {}:{} (remove one, or give it a Kernel of its own)",
        name_, name_of(d), place.file, place.line, other.file, other.line);
  for (const Place& any : places_)
    if (any.file)
      fail(
          "{}: there is no {} kernel, only the one at {}:{} (move the tensors to its device with to, or register "
          "a {} kernel: implement(Device::{}, ..))",
          name_, name_of(d), any.file, any.line, name_of(d), name_of(d));
  fail(
      "{}: there is no kernel on any device (call implement(Device::{}, ..) from a static initializer, in a file "
      "that is part of the program: from a static library, the linker drops files that nothing refers to)",
      name_, name_of(d));
}

void KernelPlaces::refuse_device(Device d, Device found) const {
  fail("{}: the kernel runs on {}, and one of its tensors is on {} (move it with .to(Device::{}))", name_,
       name_of(d), name_of(found), name_of(d));
}

}  // namespace fade
