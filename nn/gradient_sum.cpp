#include "nn/gradient_sum.h"

#include <algorithm>
#include <chrono>

#include "engine/primitives.h"

namespace fade {
namespace {

/// Of parts and of slices, as for tensors of their own.
constexpr size_t kAlignment = 64;

int64_t rounded_up(int64_t n, int64_t multiple) { return (n + multiple - 1) / multiple * multiple; }

size_t usual_bucket(const std::vector<Tensor>& leaves) {
  constexpr size_t kBuckets = 12, kSmallest = size_t{64} << 10, kLargest = size_t{16} << 20;
  size_t bytes = 0;
  for (const Tensor& leaf : leaves) bytes += leaf.size_bytes();
  return std::clamp(bytes / kBuckets, kSmallest, kLargest);
}

}  // namespace

GradientSum::GradientSum(const Parameters& parameters, const Ranks& ranks, size_t bucket_bytes)
    : ranks_(ranks) {
  const std::vector<Tensor>& leaves = parameters.leaves();
  if (leaves.empty()) fail("GradientSum: the model has no parameters (make its layers first)");
  summation_ = make_summation(ranks, leaves[0].device());
  if (!bucket_bytes) bucket_bytes = usual_bucket(leaves);
  std::vector<Tensor> group;
  size_t bytes = 0;
  for (auto leaf = leaves.rbegin(); leaf != leaves.rend(); ++leaf) {
    if (!group.empty() && bytes + leaf->size_bytes() > bucket_bytes) {
      add_bucket(group, false);
      group.clear();
      bytes = 0;
    }
    group.push_back(*leaf);
    bytes += leaf->size_bytes();
  }
  add_bucket(group, true);
}

void GradientSum::add_bucket(const std::vector<Tensor>& leaves, bool with_extra) {
  const DType dtype = leaves[0].dtype();
  const Device device = leaves[0].device();
  const auto unit = static_cast<int64_t>(kAlignment / size_of(dtype));
  int64_t size = with_extra ? unit : 0;
  for (const Tensor& leaf : leaves) size += rounded_up(leaf.numel(), unit);
  // The elements between parts stay zeros.
  const Tensor flat = Tensor::zeros({rounded_up(size, unit * ranks_.count())}, dtype, device);
  int64_t begin = 0;
  const auto add_part = [&](const Tensor& leaf, const Shape& shape) {
    parts_.push_back({leaf, buckets_.size(), flat.rows(begin, begin + shape.numel()).view(shape)});
    begin += rounded_up(shape.numel(), unit);
  };
  for (const Tensor& leaf : leaves) {
    part_of_[leaf.impl()] = parts_.size();
    add_part(leaf, leaf.shape());
  }
  if (with_extra) add_part({}, {});
  const size_t parts = leaves.size() + with_extra;
  buckets_.push_back({flat, parts, parts});
}

GradientSum::Overlap::Overlap(GradientSum& sum, Tape& tape) : tape_(tape) {
  previous_ = tape.on_final([&sum](const Tensor& leaf, const Tensor& gradient) {
    if (const auto found = sum.part_of_.find(leaf.impl()); found != sum.part_of_.end())
      sum.fill(sum.parts_[found->second], leaf.grad(), gradient);
  });
}

void GradientSum::fill(Part& part, const Tensor& before, const Tensor& gradient) {
  if (part.filled)
    fail("GradientSum: a second backward before finish() (accumulate the others outside of the scope)");
  const Device device = part.flat.device();
  if (const Tensor& first = before ? before : gradient)
    part.flat.copy_from(first);
  else
    fill_kernel(device, 0, part.flat);
  if (before && gradient) add_into_kernel(device, gradient, part.flat);
  part.filled = true;
  --buckets_[part.bucket].open;
  for (; started_ < buckets_.size() && buckets_[started_].open == 0; ++started_)
    summation_->start(buckets_[started_].flat);
}

Tensor GradientSum::finish(const Tensor& extra) {
  Part& last = parts_.back();
  std::vector<double> given;  // by how many ranks
  for (Part& part : parts_) {
    if (!part.filled) fill(part, part.leaf ? part.leaf.grad() : extra, {});
    if (part.leaf) given.push_back(part.leaf.grad() ? 1 : 0);
  }
  using Clock = std::chrono::steady_clock;
  const Clock::time_point begin = Clock::now();
  ranks_.sum(given);
  summation_->finish();
  seconds_waited_ = std::chrono::duration<double>(Clock::now() - begin).count();
  for (size_t i = 0; i < given.size(); ++i) parts_[i].leaf.set_grad(given[i] > 0 ? parts_[i].flat : Tensor());
  for (Part& part : parts_) part.filled = false;
  for (Bucket& bucket : buckets_) bucket.open = bucket.size;
  started_ = 0;
  return last.flat;
}

size_t GradientSum::bytes_sent() const {
  size_t bytes = 0;
  for (const Bucket& bucket : buckets_) bytes += bucket.flat.size_bytes();
  const auto ranks = static_cast<size_t>(ranks_.count());
  return 2 * (bytes / ranks) * (ranks - 1);
}

}  // namespace fade
