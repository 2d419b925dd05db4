// Which module of a model computes: its name, for those who look at a step (engine/step_trace.h).
#pragma once

#include <string_view>
#include <utility>

namespace fade {

/// Is told, on the thread where it was set, when one module's work ends and another's begins.
class ModuleObserver {
 public:
  virtual ~ModuleObserver() = default;
  /// The work so far was that of ModuleScope::current().
  virtual void on_switch() noexcept = 0;
};

/// While in scope, this thread works for the module `name`: "layers.3.attn.query", what the names of the
/// module's parameters begin with. The name must outlive the scope. Costs two stores and two tests.
class ModuleScope {
 public:
  /// Enters the module.
  explicit ModuleScope(std::string_view name) : outer_(current_) { enter(name); }
  ~ModuleScope() { enter(outer_); }
  ModuleScope(const ModuleScope&) = delete;
  ModuleScope& operator=(const ModuleScope&) = delete;

  /// The innermost module in scope; empty outside of all.
  static std::string_view current() { return current_; }
  /// `observer` (nullptr: none) is told from now on. Returns the previous one.
  static ModuleObserver* observe(ModuleObserver* observer) { return std::exchange(observer_, observer); }

 private:
  static void enter(std::string_view name) {
    if (observer_) observer_->on_switch();
    current_ = name;
  }

  std::string_view outer_;
  static inline thread_local std::string_view current_;
  static inline thread_local ModuleObserver* observer_ = nullptr;
};

/// `work()`, for the module `name`.
template <class Work>
auto in_module(std::string_view name, const Work& work) {
  const ModuleScope scope(name);
  return work();
}

}  // namespace fade
