// An empty Tensor{} as the input of an operation: an error that names the operation, where it is not optional.
#include <boost/test/unit_test.hpp>

#include "tests/ops/op_checks.h"
#include "tests/support.h"

namespace fade::test {

BOOST_AUTO_TEST_SUITE(empty_inputs)

BOOST_AUTO_TEST_CASE(are_refused_by_every_operation) {
  int refused = 0;
  for (const OpCase& c : op_cases())
    for (size_t k = 0; k < c.inputs.size(); ++k) {
      Tensors inputs = input_tensors(c, input_values(c), DType::f64, Device::cpu);
      inputs[k] = {};
      try {
        c.run(inputs);
        BOOST_TEST_MESSAGE(c.name << " takes an empty input " << k);
      } catch (const Error& error) {
        ++refused;
        const std::string text = error.what();
        if (c.folder != "span_attention")  // its inputs are structs: not every error names it
          BOOST_TEST(contains(text, " is an empty tensor (make one with "),
                     c.name << ", input " << k << ": " << text);
      }
    }
  BOOST_TEST(refused > 300);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace fade::test
