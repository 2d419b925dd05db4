// The ranks that rank 0 leads.
#pragma once

#include "train/trainer.h"

namespace fade {

/// Carries out what rank 0 has all ranks do, until it says that this is the end. For all ranks but rank 0. What fails on
/// all ranks is rank 0's to tell, and to decide what follows.
void follow(Trainer& trainer);

/// While one is in scope, on rank 0, the other ranks follow; at its end, they are told.
class Leading {
 public:
  /// `ranks` must outlive the scope.
  explicit Leading(const Ranks& ranks) : ranks_(ranks) {}
  ~Leading();
  Leading(const Leading&) = delete;
  Leading& operator=(const Leading&) = delete;

 private:
  const Ranks& ranks_;
};

}  // namespace fade
