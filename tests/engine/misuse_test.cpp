// What users of the engine do wrong, and the one error that each mistake ends in: it names the thing, what was
// found, and the remedy. Mistakes that the compiler finds are in tests/shell/compile_errors_test.sh.
#include <boost/test/unit_test.hpp>
#include <functional>
#include <optional>
#include <span>

#include "engine/observe.h"
#include "engine/primitives.h"
#include "engine/tape.h"
#include "ops/elementwise/elementwise.h"
#include "ops/layout/layout.h"
#include "ops/reduce/reduce.h"
#include "tests/ops/op_checks.h"
#include "tests/support.h"

namespace fade {
namespace {

using test::contains, test::error_of;
using f64s = std::vector<double>;

Tensor zeros(const Shape& shape, DType dtype = DType::f64) { return Tensor::zeros(shape, dtype); }

Tensor leaf(const Shape& shape) {
  Tensor t = Tensor::full(shape, 2, DType::f64);
  t.set_requires_grad();
  return t;
}

struct Misuse {
  const char* what;
  std::function<void()> work;
  std::string message;  ///< begins the error
};

void check_all(const std::vector<Misuse>& table) {
  for (const Misuse& m : table) {
    const std::string error = error_of(m.work);
    BOOST_TEST(error.starts_with(m.message), m.what << ": " << error);
    BOOST_TEST(error.back() == ')', m.what << ": no remedy: " << error);
  }
}

// y = 2·x + 0·w with a gradient rule of its own, and its backward.
void with_rule(void (*rule)(BackwardCtx&)) {
  const OpDef op{"mine", rule};
  const Tensor x = leaf({2, 3}), w = leaf({3});
  const Recording on;
  Tensor y = zeros({2, 3});
  record(op, y, {&x, &w}, {&x, &w}, 1.5);
  backward(sum(y));
}

void recorded(Tensor result, std::initializer_list<const Tensor*> inputs,
              std::initializer_list<const Tensor*> saved) {
  static constexpr OpDef kOp{"mine", [](BackwardCtx&) {}};
  const Recording on;
  record(kOp, result, inputs, saved);
}

// Kernels of these tests: one without an implementation, one with two, one for a device that is not there.
constinit Kernel<void(const Tensor&x, Out y)> forgotten{"forgotten"}, twice{"twice"}, elsewhere{"elsewhere"};
void copy(const Tensor& x, Out y) { y.copy_from(x); }
const bool registered = twice.implement(Device::cpu, copy, "first.cpp", 10) &&
                        twice.implement(Device::cpu, copy, "second.cpp", 20) &&
                        elsewhere.implement(Device::cpu, copy, "here.cpp", 30);

}  // namespace

BOOST_AUTO_TEST_SUITE(misuse)

BOOST_AUTO_TEST_CASE(of_tensors) {
  const Tensor t = zeros({2, 3}), nothing;
  const std::string empty = ": the tensor is empty: it has no shape, type or memory (make one with ";
  check_all({
      {"shape of nothing", [&] { nothing.shape(); }, "shape" + empty},
      {"size of nothing", [&] { nothing.size(0); }, "size" + empty},
      {"type of nothing", [&] { nothing.dtype(); }, "dtype" + empty},
      {"device of nothing", [&] { nothing.device(); }, "device" + empty},
      {"data of nothing", [&] { nothing.data<float>(); }, "data" + empty},
      {"writing nothing", [&] { nothing.mutate<float>(); }, "mutate" + empty},
      {"bytes of nothing", [&] { nothing.data_bytes(); }, "data" + empty},
      {"a gradient too early", [&] { leaf({2}).grad().item(); }, "numel" + empty},
      {"values of nothing", [&] { nothing.to_vector<double>(); }, "device" + empty},
      {"a clone of nothing", [&] { nothing.clone(); }, "shape" + empty},
      {"a view of nothing", [&] { nothing.view({2}); }, "numel" + empty},
      {"rows of nothing", [&] { nothing.rows(0, 1); }, "size" + empty},
      {"a gradient of nothing", [&] { nothing.grad(); }, "grad" + empty},
      {"no gradient of nothing", [&] { nothing.zero_grad(); }, "zero_grad" + empty},
      {"giving nothing a gradient", [&] { nothing.set_grad({}); }, "set_grad" + empty},
      {"nothing as a leaf", [&] { Tensor().set_requires_grad(); }, "dtype" + empty},
      {"asking nothing", [&] { nothing.requires_grad(); }, "requires_grad" + empty},
      {"version of nothing", [&] { nothing.version(); }, "version" + empty},
      {"reading as another type", [&] { t.data<float>(); },
       "data: the tensor holds f64, read as f32 (convert with .to(DType::f32)"},
      {"writing as another type", [&] { t.mutate<int32_t>(); }, "data: the tensor holds f64, read as i32 ("},
      {"all values as another type", [&] { t.to_vector<float>(); },
       "data: the tensor holds f64, read as f32 ("},
      {"the value of six", [&] { t.item(); },
       "item: the tensor has shape [2,3], needs exactly one element (reduce it with sum or mean, or use to_vector"},
      {"the value of none", [&] { zeros({0}).item(); }, "item: the tensor has shape [0], needs exactly one"},
      {"a dimension that is not there", [&] { t.size(2); },
       "shape [2,3]: there is no dimension 2 (they count from 0 to 1, or from -1 down to -2"},
      {"the same, from the end", [&] { t.size(-3); }, "shape [2,3]: there is no dimension -3 ("},
      {"a dimension of a number", [&] { zeros({}).size(0); },
       "shape []: there is no dimension 0 (a single number"},
      {"a view of another size", [&] { t.view({4}); },
       "view: cannot view [2,3] (6 elements) as [4] (4 elements; the numbers must be the same"},
      {"rows outside", [&] { t.rows(1, 3); },
       "rows: [1,3) is outside the first dimension of [2,3] (needs 0 <= begin <= end <= 2"},
      {"rows of a number", [&] { zeros({}).rows(0, 1); }, "shape []: there is no dimension 0 ("},
      {"too few values",
       [&] {
         Tensor::from(f64s{1, 2}, {3});
       },
       "Tensor::from: 2 values for shape [3] of 3"},
      {"copying another shape", [&] { t.copy_from(zeros({6})); },
       "copy_from: f64 [6] into f64 [2,3] (convert"},
      {"copying another type",
       [&] {
         t.copy_from(zeros({2, 3}, DType::f32));
       },
       "copy_from: f32 [2,3] into f64"},
      {"a negative size",
       [&] {
         zeros({2, -1});
       },
       "shape: size -1 of dimension 1 is negative (give it"},
      {"seven dimensions",
       [&] {
         zeros({1, 1, 1, 1, 1, 1, 1});
       },
       "shape [1,1,1,1,1,1]: a tensor has at most 6"},
      {"more than any memory",
       [&] {
         zeros({int64_t{1} << 40, int64_t{1} << 40});
       },
       "shape [1099511627776,1099511627776]: more elements than any memory holds ("},
      {"the same beside a zero",
       [&] {
         zeros({0, int64_t{1} << 40, int64_t{1} << 40});
       },
       "shape [0,10995116277"},
      {"summed to what was not broadcast", [&] { sum_to(t, {2}); },
       "sum_to: [2,3] cannot be summed to [2] ("},
  });
}

BOOST_AUTO_TEST_CASE(of_leaves_and_backward) {
  const Tensor x = leaf({2, 3}), y = mul(x, x);
  check_all({
      {"a leaf of integers", [] { zeros({2}, DType::i32).set_requires_grad(); },
       "set_requires_grad: a tensor of i32 has no gradient (use f32 or f64"},
      {"a result as a leaf",
       [&] {
         const Recording on;
         mul(x, x).set_requires_grad();
       },
       "set_requires_grad: this tensor is the result of a recorded operation, not a leaf (mark the tensors that"},
      {"a gradient of another shape", [&] { x.set_grad(zeros({3})); },
       "set_grad: f64 [3] on cpu for a leaf of f64 [2,3] on cpu (make it like the leaf"},
      {"backward without a tape", [&] { backward(y); },
       "backward: nothing is being recorded (put a Recording"},
      {"backward of nothing",
       [&] {
         const Recording on;
         backward({});
       },
       "backward: the loss was not recorded on this tape (compute it inside a Recording"},
      {"backward of what was computed before",
       [&] {
         const Recording on;
         backward(sum(y));
       },
       "backward: the loss was not recorded on this tape ("},
      {"backward of a loss on another tape",
       [&] {
         Tape other;
         const Recording on;
         const Tensor loss = sum(mul(x, x));
         other.backward(loss);
       },
       "backward: the loss was not recorded on this tape ("},
      {"backward twice",
       [&] {
         const Recording on;
         const Tensor loss = sum(mul(x, x));
         backward(loss);
         backward(loss);
       },
       "backward: the loss was not recorded on this tape (compute it inside a Recording, from a leaf with "
       "set_requires_grad(), and once per backward"},
      {"backward of many elements",
       [&] {
         const Recording on;
         backward(mul(x, x));
       },
       "backward: the loss has shape [2,3] (reduce it with sum or mean, or pass a cotangent of its shape"},
      {"a cotangent of another shape",
       [&] {
         const Recording on;
         backward(mul(x, x), zeros({3}));
       },
       "backward: the loss has shape [2,3], the cotangent [3] ("},
      {"a cotangent of another type",
       [&] {
         const Recording on;
         backward(mul(x, x), zeros({2, 3}, DType::f32));
       },
       "backward: the loss is f64 on cpu, the cotangent f32 on cpu (convert it with to"},
  });
}

BOOST_AUTO_TEST_CASE(of_record) {
  const Tensor x = leaf({2, 3}), y = zeros({2, 3});
  check_all({
      {"five inputs",
       [&] {
         recorded(y, {&x, &x, &x, &x, &x}, {});
       },
       "mine: record was given 5 inputs and 0 saved tensors, a node holds 4 and 9 (split the operation"},
      {"ten saved tensors",
       [&] {
         recorded(y, {&x}, {&x, &x, &x, &x, &x, &x, &x, &x, &x, &x});
       },
       "mine: record was given 1 inputs and 10 saved tensors, a node holds 4 and 9 ("},
      {"a null pointer",
       [&] {
         recorded(y, {&x, nullptr}, {});
       },
       "mine: record was given a null pointer (for what"},
      {"a null pointer to save", [&] { recorded(y, {&x}, {nullptr}); },
       "mine: record was given a null pointer ("},
      {"no result", [&] { recorded({}, {&x}, {}); }, "mine: the result given to record is an empty tensor ("},
      {"its input as the result", [&] { recorded(x, {&x}, {}); },
       "mine: the result given to record is a leaf ("},
  });
}

BOOST_AUTO_TEST_CASE(of_gradient_rules) {
  static Tape* tape = nullptr;  // for rules, which capture nothing
  check_all({
      {"an input that is not there", [] { with_rule([](BackwardCtx& ctx) { ctx.add(2, ctx.grad()); }); },
       "mine: its gradient rule asks for input 2, record was given 2 (they count from 0"},
      {"a negative input", [] { with_rule([](BackwardCtx& ctx) { ctx.add(-1, ctx.grad()); }); },
       "mine: its gradient rule asks for input -1, record was given 2 ("},
      {"needs of it", [] { with_rule([](BackwardCtx& ctx) { ctx.needs(2); }); },
       "mine: its gradient rule asks for input 2, record was given 2 ("},
      {"an empty tensor for it", [] { with_rule([](BackwardCtx& ctx) { ctx.empty_for(2); }); },
       "mine: its gradient rule asks for input 2, record was given 2 ("},
      {"adding to it in place", [] { with_rule([](BackwardCtx& ctx) { ctx.accumulate(2); }); },
       "mine: its gradient rule asks for input 2, record was given 2 ("},
      {"a saved tensor that is not there", [] { with_rule([](BackwardCtx& ctx) { ctx.saved(3); }); },
       "mine: its gradient rule asks for saved tensor 3, record was given 2 (they count from 0"},
      // Values would be cut off, taken from elsewhere, or reinterpreted.
      {"another shape", [] { with_rule([](BackwardCtx& ctx) { ctx.add(0, zeros({3})); }); },
       "mine: its gradient rule gives input 0 f64 [3] on cpu; the input is f64 [2,3] on cpu ("},
      {"as many values in another shape",
       [] { with_rule([](BackwardCtx& ctx) {
              ctx.add(0, zeros({3, 2}));
            }); },
       "mine: its gradient rule gives input 0 f64 [3,2] on cpu; the input is f64 [2,3] on cpu ("},
      {"too few values", [] { with_rule([](BackwardCtx& ctx) { ctx.add(1, zeros({2})); }); },
       "mine: its gradient rule gives input 1 f64 [2] on cpu; the input is f64 [3] on cpu ("},
      {"a shape that is neither the input's nor the output's",
       [] { with_rule([](BackwardCtx& ctx) {
              ctx.add(1, zeros({4, 3}));
            }); },
       "mine: its gradient rule gives input 1 f64 [4,3] on cpu; the input is f64 [3] on cpu ("},
      {"another type", [] { with_rule([](BackwardCtx& ctx) {
                              ctx.add(0, zeros({2, 3}, DType::f32));
                            }); },
       "mine: its gradient rule gives input 0 f32 [2,3] on cpu; the input is f64 [2,3] on cpu ("},
      {"another type, to be summed",
       [] { with_rule([](BackwardCtx& ctx) {
              ctx.add(1, zeros({2, 3}, DType::f32));
            }); },
       "mine: its gradient rule gives input 1 f32 [2,3] on cpu; the input is f64 [3] on cpu ("},
      {"no gradient", [] { with_rule([](BackwardCtx& ctx) { ctx.add(1, {}); }); },
       "mine: its gradient rule gives input 1 an empty tensor; the input is f64 [3] on cpu ("},
      {"attributes of another type", [] { with_rule([](BackwardCtx& ctx) { ctx.attrs<float>(); }); },
       "mine: its gradient rule asks for attributes of type float, record was given double (use the same type"},
      {"the same size", [] { with_rule([](BackwardCtx& ctx) { ctx.attrs<int64_t>(); }); },
       "mine: its gradient rule asks for attributes of type long, record was given double ("},
      {"a changed gradient", [] { with_rule([](BackwardCtx& ctx) { ctx.grad().mutate<double>()[0] = 1; }); },
       "mine: its gradient rule changes ctx.grad() in place (change a clone(): others hold it"},
      {"a backward in a rule",
       [] {
         Tape own;
         tape = &own;
         static constexpr OpDef kOp{"mine", [](BackwardCtx& ctx) { tape->backward(ctx.saved(0)); }};
         const Recording on(own);
         const Tensor x = leaf({});
         Tensor y = zeros({});
         record(kOp, y, {&x}, {&x});
         own.backward(y);
       },
       "backward: called by a gradient rule of the same tape (there are no second derivatives"},
      {"recording in a rule",
       [] {
         Tape own;
         tape = &own;
         static constexpr OpDef kOp{"mine", [](BackwardCtx& ctx) {
                                      const Recording on(*tape);
                                      mul(ctx.saved(0), ctx.grad());
                                    }};
         const Recording on(own);
         const Tensor x = leaf({});
         Tensor y = zeros({});
         record(kOp, y, {&x}, {&x});
         own.backward(y);
       },
       "mul: recorded on a tape during its backward (record on another tape"},
      {"a tape cleared by a rule",
       [] {
         Tape own;
         tape = &own;
         static constexpr OpDef kOp{"mine", [](BackwardCtx&) { tape->clear(); }};
         const Recording on(own);
         const Tensor x = leaf({});
         Tensor y = zeros({});
         record(kOp, y, {&x}, {});
         own.backward(y);
       },
       "clear: called by a gradient rule of the same tape (call it after backward"},
      {"accumulating what is not needed",
       [] {
         static constexpr OpDef kOp{"mine", [](BackwardCtx& ctx) { ctx.accumulate(0); }};
         const Recording on;
         const Tensor constant = zeros({}), x = leaf({});
         Tensor y = zeros({});
         record(kOp, y, {&constant, &x}, {});
         backward(y);
       },
       "mine: its gradient rule accumulates into input 0, which needs no gradient ("},
      {"a saved tensor that changed",
       [] {
         const Recording on;
         const Tensor x = leaf({}), y = mul(x, x);
         x.mutate<double>()[0] = 3;
         backward(y);
       },
       "mul: a tensor saved for backward was modified in place since (modify a clone"},
  });
  BOOST_TEST(error_of([] { with_rule([](BackwardCtx& ctx) { ctx.attrs<double>(); }); }) == "(no error)");
  BOOST_TEST(error_of([] { with_rule([](BackwardCtx& ctx) { ctx.add(1, ctx.grad()); }); }) == "(no error)");
}

BOOST_AUTO_TEST_CASE(of_kernels) {
  BOOST_TEST(registered);
  const Tensor t = zeros({2});
  check_all({
      {"no kernel", [&] { forgotten(Device::cpu, t, t); },
       "forgotten: there is no kernel on any device (call implement(Device::cpu, ..) from a static initializer"},
      {"no kernel for the device", [&] { elsewhere(Device::cuda, t, t); },
       "elsewhere: there is no cuda kernel, only the one at here.cpp:30 (move the tensors to its device with to, or "
       "register a cuda kernel: implement(Device::cuda, ..)"},
      {"two kernels", [&] { twice(Device::cpu, t, t); },
       "twice: two cpu kernels are registered, at first.cpp:10 and at second.cpp:20 (remove one"},
  });
  static constinit Kernel<void(const Tensor&, Out)> here{"here"};
  here.implement(Device::cpu, copy);
  here.implement(Device::cpu, copy);
  BOOST_TEST(contains(error_of([&] { here(Device::cpu, t, t); }), "misuse_test.cpp:"));
}

BOOST_AUTO_TEST_CASE(of_devices) {
  if (test::available_devices().size() == 1) {
    check_all(
        {{"a device that is not there", [] { Tensor::zeros({2}, DType::f32, Device::cuda); },
          "device: cuda is not part of this build (use --device cpu, in a program Device::cpu, or build"}});
    return;
  }
  const Tensor here = zeros({2}), there = here.to(Device::cuda);
  static constinit Kernel<void(const Tensor&, Out)> kernel{"mine"};
  static constinit Kernel<void(std::span<const Tensor>)> of_several{"several"};
  static const bool implemented = kernel.implement(Device::cpu, copy) &&
                                  of_several.implement(Device::cpu, [](std::span<const Tensor>) {});
  BOOST_TEST(implemented);
  const std::vector<Tensor> several{here, there};
  check_all(
      {{"an operand elsewhere", [&] { add(here, there); },
        "add: operands on cpu and cuda (move one with .to("},
       {"a kernel's tensor elsewhere", [&] { kernel(Device::cpu, there, here); },
        "mine: the kernel runs on cpu, and one of its tensors is on cuda (move it with .to(Device::cpu)"},
       {"one of a kernel's tensors elsewhere", [&] { of_several(Device::cpu, several); },
        "several: the kernel runs on cpu, and one of its tensors is on cuda"},
       {"a gradient elsewhere", [&] { leaf({2}).set_grad(there); },
        "set_grad: f64 [2] on cuda for a leaf of"}});
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace fade
