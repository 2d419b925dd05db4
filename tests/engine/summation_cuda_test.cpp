// Sums over the one rank of a job: through NCCL, on a GPU. (Sums over several: tests/ranks.)
#include <boost/test/unit_test.hpp>

#include "engine/primitives.h"
#include "engine/ranks/choose_gpu.h"
#include "engine/ranks/summation.h"

namespace fade::test {
namespace {

boost::test_tools::assertion_result device_is_here(boost::unit_test::test_unit_id) {
  return has_backend(Device::cuda);
}

}  // namespace

BOOST_AUTO_TEST_SUITE(ranks_cuda, *boost::unit_test::precondition(&device_is_here))

// A sum begins after the operations before it, with which a GPU is still busy when it is started; and
// operations after finish() see it.
BOOST_AUTO_TEST_CASE(operations_are_before_and_after_a_sum) {
  choose_gpu(Ranks::alone());
  const std::unique_ptr<Summation> summation = make_summation(Ranks::alone(), Device::cuda);
  for (const DType dtype : {DType::f32, DType::f64})
    for (const int64_t n : {int64_t{1}, int64_t{1000}, int64_t{1} << 20}) {
      const Tensor one = Tensor::full({n}, 1, dtype, Device::cuda);
      std::vector<Tensor> flats;
      for (int i = 0; i < 4; ++i) {
        const Tensor flat = Tensor::zeros({n}, dtype, Device::cuda);
        for (int k = 0; k < 4 * (i + 1); ++k) add_into_kernel(Device::cuda, one, flat);
        summation->start(flat);
        flats.push_back(flat);
      }
      summation->finish();
      for (const Tensor& flat : flats) add_into_kernel(Device::cuda, one, flat);
      for (size_t i = 0; i < flats.size(); ++i) {
        const std::vector<double> found = flats[i].to(DType::f64).to_vector<double>();
        BOOST_TEST(std::ranges::count(found, static_cast<double>(4 * (i + 1) + 1)) == n);
      }
    }
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace fade::test
