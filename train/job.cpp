#include "train/job.h"

#include "engine/io/hash.h"
#include "engine/ranks/choose_gpu.h"
#include "train/config/resolve.h"
#include "train/config/schema.h"

namespace fade {

void require_same(const Config& config, const Ranks& ranks) {
  if (ranks.count() == 1) return;
  for (const Key& key : config_keys())
    if (key.path != "data.path" && key.path != "threads")
      ranks.require_same(std::string(key.path), value_text(key, config),
                         "give all ranks the same configuration");
}

void require_same(const Corpus& corpus, const Ranks& ranks) {
  if (ranks.count() == 1) return;
  CorpusIdentity bytes;
  ranks.together([&] { bytes = corpus.identity(); });
  ranks.require_same(corpus.name(), fmt::format("{} bytes with hash {}", bytes.bytes, bytes.hash),
                     "give all ranks the same text");
}

void require_same(const std::string& what, const std::vector<NamedTensor>& tensors, const std::string& remedy,
                  const Ranks& ranks) {
  if (ranks.count() == 1) return;
  ContentHash hash;
  for (const auto& [name, value] : tensors) {
    const Tensor host = value.to(Device::cpu);
    hash.add(host.data_bytes(), host.size_bytes());
  }
  try {
    ranks.require_same("the hash of " + what, hash.digits(), remedy);
  } catch (const InputError& e) {
    fail("{}", e.what());
  }
}

Device device_for(DeviceChoice choice, const Ranks& ranks) {
  if (ranks.count() > 1 && choice != DeviceChoice::cpu) choose_gpu(ranks);
  Device device = Device::cpu;
  ranks.together([&] { device = device_for(choice); });
  ranks.require_same("device", name_of(device), "set it to cpu or cuda");
  return device;
}

Share own_streams(int batch, const Ranks& ranks) {
  if (batch % ranks.count() == 0) return ranks.share(batch);
  int fewer = ranks.count();
  while (batch % fewer != 0) --fewer;
  refuse(
      "train.batch: {} streams cannot be divided evenly between {} ranks (start {} of them, or set train.batch to {})",
      batch, ranks.count(), fewer, (batch / ranks.count() + 1) * ranks.count());
}

}  // namespace fade
