#include "engine/cuda/emulate/fiber.h"

#include <alloca.h>

#include <boost/context/protected_fixedsize_stack.hpp>

#ifdef __SANITIZE_ADDRESS__
#include <sanitizer/common_interface_defs.h>
#endif

namespace fade::emulate {
namespace {

namespace context = boost::context;

#ifdef __SANITIZE_ADDRESS__
constexpr size_t kStackBytes = 256 * 1024;
#else
constexpr size_t kStackBytes = 128 * 1024;
#endif

thread_local Fiber* left = nullptr;  // the fiber that the latest switch left

}  // namespace

Fiber::Fiber(std::function<Fiber&(Fiber&)> body, size_t number) {
  context::protected_fixedsize_stack stacks(kStackBytes);
  const context::stack_context stack = stacks.allocate();
  bytes_ = stack.size;
  bottom_ = static_cast<const std::byte*>(stack.sp) - stack.size;
  context_ = context::fiber(std::allocator_arg, context::preallocated(stack.sp, stack.size, stack), stacks,
                            [this, body = std::move(body), number](context::fiber&& from) {
                              arrive(std::move(from));
                              // 9 lines of 64 bytes: neighbours do not share a set of the cache.
                              // cppcheck-suppress allocaCalled ; it shifts the stack
                              volatile auto* const shift = static_cast<char*>(alloca(number % 7 * 576 + 1));
                              shift[0] = 0;
                              Fiber& next = body(*this);
                              leave(next, true);
                              return std::move(next.context_);
                            });
}

void Fiber::switch_to(Fiber& to) {
  leave(to, false);
  arrive(std::move(to.context_).resume());
}

void Fiber::leave([[maybe_unused]] Fiber& to, [[maybe_unused]] bool for_good) {
  left = this;
#ifdef __SANITIZE_ADDRESS__
  __sanitizer_start_switch_fiber(for_good ? nullptr : &fake_stack_, to.bottom_, to.bytes_);
#endif
}

void Fiber::arrive(context::fiber&& from) {
#ifdef __SANITIZE_ADDRESS__
  __sanitizer_finish_switch_fiber(fake_stack_, &left->bottom_, &left->bytes_);
#endif
  left->context_ = std::move(from);
}

}  // namespace fade::emulate
