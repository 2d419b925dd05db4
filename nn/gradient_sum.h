// Gradients of a model, summed over the ranks of a job while backward still computes.
//
//   GradientSum sum(model.parameters(), ranks);
//   ...
//   parameters.zero_grad();
//   { .. backward of all accumulated blocks but the last; they add to the leaves' grad() }
//   {
//     const GradientSum::Overlap on(sum, tape);
//     .. backward of the last block: buckets leave as they become full
//   }
//   sum.finish(extra);  // grad() of each leaf is the sum over ranks
//
// Leaves lie in buckets, flat tensors, from the last layer to the first: the order in which backward finishes their
// gradients. A bucket's sum starts when all of its leaves are there and the buckets before it have started, so that all ranks
// start the same sums in the same order.
#pragma once

#include <memory>
#include <unordered_map>
#include <vector>

#include "engine/ranks/ranks.h"
#include "engine/ranks/summation.h"
#include "engine/tape.h"
#include "nn/parameters.h"

namespace fade {

/// The sum over ranks of the gradients of a model's leaves.
class GradientSum {
 public:
  /// Buckets for the leaves of `parameters`, which must not grow, of at most `bucket_bytes`, or of one leaf; 0: about a
  /// dozen, of at most 16 MiB, so that small models overlap, too, and many ranks do not send tiny slices. All ranks
  /// have the same leaves. `ranks`, a job of several, must outlive the object. Throws Error when there are no leaves,
  /// and InputError as make_summation does.
  GradientSum(const Parameters& parameters, const Ranks& ranks, size_t bucket_bytes = 0);

  /// While in scope, a backward on `tape` gives its gradients to `sum`, each as soon as it is final, on top of what grad() of
  /// the leaf holds from before. There may be one such backward before finish().
  class Overlap {
   public:
    /// Both must outlive the scope.
    Overlap(GradientSum& sum, Tape& tape);
    ~Overlap() { tape_.on_final(std::move(previous_)); }
    Overlap(const Overlap&) = delete;
    Overlap& operator=(const Overlap&) = delete;

   private:
    Tape& tape_;
    LeafHook previous_;
  };

  /// grad() of each leaf becomes the sum over ranks of the leaf's gradients, or no tensor if no rank has one (those without one
  /// count as zeros). They are parts of the buckets: zero_grad() must come before the next backward. `extra`, [] of the
  /// leaves' type and device, is summed, too; returns its sum, which the next finish() overwrites. The host waits for the other
  /// ranks, but not for a device other than the CPU. All ranks must call it, also when their backward has thrown: they would
  /// wait for each other's sums otherwise.
  Tensor finish(const Tensor& extra);

  const Ranks& ranks() const { return ranks_; }  ///< as they were given
  /// What this rank sends to others in one step: 2·n·(N − 1)/N for n bytes in the buckets of N ranks.
  size_t bytes_sent() const;
  /// How long the host waited for other ranks in the last finish().
  double seconds_waited() const { return seconds_waited_; }

 private:
  /// A tensor that is summed, and where.
  struct Part {
    Tensor leaf;  ///< none for the extra scalar
    size_t bucket;
    Tensor flat;  ///< its place in the bucket
    bool filled = false;
  };
  struct Bucket {
    Tensor flat;      ///< [n]
    size_t size = 0;  ///< parts
    size_t open = 0;  ///< of them not filled
  };

  void add_bucket(const std::vector<Tensor>& leaves, bool with_extra);
  void fill(Part& part, const Tensor& before, const Tensor& gradient);

  const Ranks& ranks_;
  std::unique_ptr<Summation> summation_;
  std::vector<Bucket> buckets_;
  std::vector<Part> parts_;  ///< of the leaves, in the order of the buckets; then the extra scalar
  std::unordered_map<const TensorImpl*, size_t> part_of_;
  size_t started_ = 0;  ///< buckets
  double seconds_waited_ = 0;
};

}  // namespace fade
