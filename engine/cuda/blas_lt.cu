// cuBLASLt: the algorithms that it proposes for a product are timed once, and the fastest is remembered.
#include <cublasLt.h>

#include <array>
#include <bit>
#include <cstdlib>
#include <limits>
#include <map>
#include <optional>
#include <string_view>
#include <vector>

#include "engine/cuda/blas_types.h"
#include "engine/cuda/cuda.h"
#include "engine/tensor.h"

namespace fade {
namespace {

constexpr int64_t kWorkspace = int64_t{32} << 20;  // bytes, for all products: they run one after the other
constexpr int kProposals = 8;                      // algorithms that are timed
constexpr int kTimedRuns = 3;
constexpr int64_t kTimedColumns = 1 << 14;          // of the result, at most: more of them change no tile
constexpr int64_t kTimedBytes = int64_t{64} << 20;  // of the results of a batch, about
constexpr size_t kRemembered = 4096;                // choices

/// A way of cuBLASLt to compute a product. (nvcc 13.0 fails on containers of its unnamed struct.)
struct Algorithm {
  cublasLtMatmulAlgo_t opaque;
};

cublasLtHandle_t handle() {
  static const cublasLtHandle_t created = [] {
    cublasLtHandle_t h = nullptr;
    check_blas(cublasLtCreate(&h), "create a handle of cuBLASLt");
    return h;
  }();
  return created;
}

void* workspace() {
  static void* const allocated = allocate(kWorkspace, Device::cuda);  // never released
  return allocated;
}

// What cuBLASLt may assume of an address.
uint32_t alignment(const void* p) {
  constexpr int kLargest = 8;  // 256 bytes
  return 1u << std::min(kLargest, std::countr_zero(reinterpret_cast<uintptr_t>(p) | 1u << kLargest));
}

/// A product as cuBLASLt describes it.
class Description {
 public:
  explicit Description(const BlasProduct& p) : p_(p) {
    const ProductTypes types = types_of(p);
    check_blas(cublasLtMatmulDescInit(&product_, types.compute, CUDA_R_32F), "describe a product");
    set(CUBLASLT_MATMUL_DESC_TRANSA, operation(p.transpose_a));
    set(CUBLASLT_MATMUL_DESC_TRANSB, operation(p.transpose_b));
    if (p.bias || p.relu) {
      set(CUBLASLT_MATMUL_DESC_EPILOGUE, !p.bias  ? CUBLASLT_EPILOGUE_RELU
                                         : p.relu ? CUBLASLT_EPILOGUE_RELU_BIAS
                                                  : CUBLASLT_EPILOGUE_BIAS);
      if (p.bias) set(CUBLASLT_MATMUL_DESC_BIAS_POINTER, p.bias);  // of the result's type unless it is set
    }
    const auto layout = [&](Layout& of, cudaDataType_t type, int64_t rows, int64_t columns, int64_t ld,
                            int64_t step) {
      check_blas(cublasLtMatrixLayoutInit(&of, type, rows, columns, ld), "describe a matrix");
      if (p.batch == 1) return;
      const auto batch = static_cast<int32_t>(p.batch);
      check_blas(
          cublasLtMatrixLayoutSetAttribute(&of, CUBLASLT_MATRIX_LAYOUT_BATCH_COUNT, &batch, sizeof batch),
          "describe a batch");
      check_blas(cublasLtMatrixLayoutSetAttribute(&of, CUBLASLT_MATRIX_LAYOUT_STRIDED_BATCH_OFFSET, &step,
                                                  sizeof step),
                 "describe a batch");
    };
    layout(a_, types.factors, p.transpose_a ? p.k : p.m, p.transpose_a ? p.m : p.k, p.ld_a, p.step_a);
    layout(b_, types.factors, p.transpose_b ? p.n : p.k, p.transpose_b ? p.k : p.n, p.ld_b, p.step_b);
    layout(c_, types.result, p.m, p.n, p.ld_c, p.step_c);
  }

  // Up to `most` (at most kProposals) proposals of cuBLASLt, the one that it prefers first; none where it
  // does not support the product.
  std::vector<Algorithm> proposals(int most) {
    cublasLtMatmulPreferenceOpaque_t wish;
    check_blas(cublasLtMatmulPreferenceInit(&wish), "state a preference");
    const auto prefer = [&](cublasLtMatmulPreferenceAttributes_t what, auto value) {
      check_blas(cublasLtMatmulPreferenceSetAttribute(&wish, what, &value, sizeof value),
                 "state a preference");
    };
    prefer(CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES, uint64_t{kWorkspace});
    prefer(CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_A_BYTES, alignment(p_.a));
    prefer(CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_B_BYTES, alignment(p_.b));
    prefer(CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_C_BYTES, alignment(p_.c));
    prefer(CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_D_BYTES, alignment(p_.c));
    std::array<cublasLtMatmulHeuristicResult_t, kProposals> found;
    int count = 0;
    const cublasStatus_t status = cublasLtMatmulAlgoGetHeuristic(handle(), &product_, &a_, &b_, &c_, &c_,
                                                                 &wish, most, found.data(), &count);
    if (status == CUBLAS_STATUS_NOT_SUPPORTED) return {};
    check_blas(status, "propose algorithms");
    std::vector<Algorithm> usable;
    for (int i = 0; i < count; ++i)
      if (found[i].state == CUBLAS_STATUS_SUCCESS) usable.push_back({found[i].algo});
    return usable;
  }

  // True iff an algorithm that was chosen for similar sizes takes this product, too.
  bool takes(const Algorithm& algorithm) {
    cublasLtMatmulHeuristicResult_t needs{};
    return cublasLtMatmulAlgoCheck(handle(), &product_, &a_, &b_, &c_, &c_, &algorithm.opaque, &needs) ==
               CUBLAS_STATUS_SUCCESS &&
           needs.workspaceSize <= kWorkspace;
  }

  // Queues the product, with the result at `c`.
  cublasStatus_t run(const Algorithm& algorithm, void* c) {
    const float one = 1, before = p_.add ? 1 : 0;
    return cublasLtMatmul(handle(), &product_, &one, p_.a, &a_, p_.b, &b_, &before, c, &c_, c, &c_,
                          &algorithm.opaque, workspace(), kWorkspace, cuda_stream());
  }

 private:
  using Layout = cublasLtMatrixLayoutOpaque_t;

  template <class Value>
  void set(cublasLtMatmulDescAttributes_t what, Value value) {
    check_blas(cublasLtMatmulDescSetAttribute(&product_, what, &value, sizeof value), "describe a product");
  }

  BlasProduct p_;
  cublasLtMatmulDescOpaque_t product_;
  Layout a_, b_, c_;
};

/// Milliseconds that the device needs for kTimedRuns of a product; infinite if it fails.
float time_of(Description& product, const Algorithm& algorithm, void* c) {
  static const auto event = [] {
    cudaEvent_t e = nullptr;
    check_cuda(cudaEventCreate(&e), "create an event");
    return e;
  };
  static const cudaEvent_t begin = event(), end = event();
  constexpr float kFailed = std::numeric_limits<float>::infinity();
  if (product.run(algorithm, c) != CUBLAS_STATUS_SUCCESS) return kFailed;
  check_cuda(cudaEventRecord(begin, cuda_stream()), "time a product");
  for (int i = 0; i < kTimedRuns; ++i)
    if (product.run(algorithm, c) != CUBLAS_STATUS_SUCCESS) return kFailed;
  check_cuda(cudaEventRecord(end, cuda_stream()), "time a product");
  check_cuda(cudaEventSynchronize(end), "time a product");
  float ms = 0;
  check_cuda(cudaEventElapsedTime(&ms, begin, end), "time a product");
  return ms;
}

// The fastest algorithm for the first columns of a product, whose result goes to memory of its own.
std::optional<Algorithm> fastest(const BlasProduct& p) {
  BlasProduct part = p;
  part.n = std::min(p.n, kTimedColumns);
  const int64_t matrix_bytes = part.n * p.ld_c * static_cast<int64_t>(size_of(p.result));
  part.batch = std::min(p.batch, std::max<int64_t>(1, kTimedBytes / matrix_bytes));
  Description product(part);
  const std::vector<Algorithm> proposals = product.proposals(kProposals);
  if (proposals.empty()) return {};
  const int64_t last = (part.batch - 1) * part.step_c + (part.n - 1) * part.ld_c + part.m;
  const Tensor scratch = Tensor::zeros({last}, part.result, Device::cuda);
  Algorithm best = proposals.front();
  float least = std::numeric_limits<float>::infinity();
  for (const Algorithm& algorithm : proposals) {
    const float ms = time_of(product, algorithm, scratch.mutate_bytes());
    if (ms >= least) continue;
    least = ms;
    best = algorithm;
  }
  return best;
}

// Sizes with the same three leading bits share a choice: the rows of a memory are never twice the same.
int64_t size_class(int64_t n) {
  const int shift = std::max(0, static_cast<int>(std::bit_width(static_cast<uint64_t>(n))) - 3);
  return n >> shift << shift;
}

using Key = std::array<int64_t, 18>;

Key key_of(const BlasProduct& p) {
  const bool batched = p.batch > 1;
  return {static_cast<int64_t>(p.factors),
          static_cast<int64_t>(p.result),
          p.transpose_a,
          p.transpose_b,
          p.add,
          (p.bias ? 1 : 0) + (p.relu ? 2 : 0),
          size_class(p.m),
          size_class(std::min(p.n, kTimedColumns)),
          size_class(p.k),
          p.ld_a,
          p.ld_b,
          p.ld_c,
          batched ? p.step_a : 0,
          batched ? p.step_b : 0,
          batched ? p.step_c : 0,
          size_class(p.batch),
          alignment(p.a) << 16 | alignment(p.b),
          alignment(p.c) << 16 | alignment(p.bias)};
}

std::optional<Algorithm> remembered(const BlasProduct& p) {
  static std::map<Key, std::optional<Algorithm>> choices;
  const Key key = key_of(p);
  if (const auto found = choices.find(key); found != choices.end()) return found->second;
  if (choices.size() == kRemembered) choices.clear();
  return choices[key] = fastest(p);
}

bool may_time() {
  static const bool may = [] {
    const char* const value = std::getenv("FADE_TIME_PRODUCTS");
    if (!value || std::string_view(value) == "1") return true;
    if (std::string_view(value) != "0") fail("FADE_TIME_PRODUCTS: found {}, allowed: 0, 1", value);
    return false;
  }();
  return may;
}

}  // namespace

bool blas_lt_product(const BlasProduct& p) {
  Description product(p);
  std::optional<Algorithm> chosen;
  if (may_time()) {
    chosen = remembered(p);
    if (!chosen) return false;
    if (!product.takes(*chosen)) chosen = {};
  }
  if (!chosen) {
    const std::vector<Algorithm> proposals = product.proposals(1);
    if (proposals.empty()) return false;
    chosen = proposals.front();
  }
  const cublasStatus_t status = product.run(*chosen, p.c);
  if (status == CUBLAS_STATUS_NOT_SUPPORTED) return false;
  if (status != CUBLAS_STATUS_SUCCESS)
    fail("cublasLt: {} products of {} {}x{} by {}x{}: {}", p.batch, name_of(p.factors), p.m, p.k, p.k, p.n,
         cublasGetStatusString(status));
  return true;
}

}  // namespace fade
