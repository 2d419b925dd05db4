// Sums of tensors over ranks, on GPUs.
#include <optional>

#include "engine/cuda/communicator.h"
#include "engine/cuda/cuda.h"
#include "engine/cuda/side_stream.h"
#include "engine/dtype.h"
#include "engine/ranks/summation.h"

namespace fade {
namespace {

/// parts[0][i] becomes the sum of parts[r][i], in the order of the ranks r.
template <class T>
struct AddParts {
  T* parts;       ///< [ranks, slice]
  int64_t slice;  ///< elements of a part
  int ranks;
  __device__ void operator()(int64_t i) const {
    T sum = parts[i];
    for (int r = 1; r < ranks; ++r) sum += parts[r * slice + i];
    parts[i] = sum;
  }
};

class GpuSummation : public Summation {
 public:
  explicit GpuSummation(const Ranks& ranks) : ranks_(ranks) {}

  void start(const Tensor& flat) override {
    if (!communicator_) communicator_.emplace(ranks_);
    dispatch_float(flat.dtype(), "the sum over ranks", [&]<class T>() {
      const int64_t slice = flat.numel() / ranks_.count();
      const size_t bytes = static_cast<size_t>(slice) * sizeof(T);
      T* const values = flat.mutate<T>();
      T* const parts = static_cast<T*>(room(flat));
      stream_.run(flat, [=, this] {
        communicator_->all_to_all(values, parts, bytes);
        launch_each("add_parts", slice, AddParts<T>{parts, slice, ranks_.count()});
        communicator_->all_gather(parts, values, bytes);
      });
    });
  }
  void finish() override { stream_.join(); }

 private:
  // For the parts of a slice, as large as `flat`. One sum after the other uses it.
  void* room(const Tensor& flat) {
    if (!parts_ || parts_.size_bytes() < flat.size_bytes()) {
      stream_.join();
      parts_ = Tensor::empty(flat.shape(), flat.dtype(), Device::cuda);
    }
    return parts_.mutate_bytes();
  }

  const Ranks& ranks_;
  // Made by the first sum. While a model is made, one rank may fail, and the others would wait for it here.
  std::optional<Communicator> communicator_;
  Tensor parts_;
  SideStream stream_;
};

[[maybe_unused]] const bool registered = register_summation(
    Device::cuda,
    [](const Ranks& ranks) -> std::unique_ptr<Summation> { return std::make_unique<GpuSummation>(ranks); });

}  // namespace
}  // namespace fade
