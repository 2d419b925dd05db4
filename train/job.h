// How a job of several ranks begins: what all of them must have in common, and what each has of its own.
#pragma once

#include <string>
#include <vector>

#include "engine/device.h"
#include "engine/ranks/ranks.h"
#include "engine/tensor.h"
#include "train/config/config.h"
#include "train/data/corpus.h"

namespace fade {

/// Throws InputError on all ranks, naming the key and the rank, when one has other settings than rank 0; data.path and
/// threads may differ.
void require_same(const Config& config, const Ranks& ranks);

/// The same for the bytes of a corpus.
void require_same(const Corpus& corpus, const Ranks& ranks);

/// The same for the bits of tensors, which `what` names, but throws Error. `remedy`: what to do then.
void require_same(const std::string& what, const std::vector<NamedTensor>& tensors, const std::string& remedy,
                  const Ranks& ranks);

/// The device of all ranks (device_for); each rank has a GPU of its own (choose_gpu). Before anything else asks for device
/// cuda. Throws InputError on all ranks as these do, and when devices differ.
Device device_for(DeviceChoice choice, const Ranks& ranks);

/// This rank's part of `batch` streams. Throws InputError when they cannot be divided evenly.
Share own_streams(int batch, const Ranks& ranks);

}  // namespace fade
