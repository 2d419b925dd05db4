#include "tests/small_training.h"

#include "train/checkpoint/checkpoint.h"

namespace fade::test {

std::string write_random_text(const TempDir& dir, size_t size, int vocab) {
  const std::vector<uint8_t> text = random_text(size, vocab);
  return dir.write("text", {reinterpret_cast<const char*>(text.data()), text.size()});
}

Config small_config(const TempDir& dir, size_t text_size) {
  Config c;
  c.model = small_model();
  c.data.path = write_random_text(dir, text_size);
  c.data.vocab = c.model.vocab;
  c.device = DeviceChoice::cpu;
  c.train.batch = 2;
  return c;
}

Config small_noisy_config(const TempDir& dir, size_t text_size) {
  Config c = small_config(dir, text_size);
  c.model.dropout = 0.1;
  c.model.span.noisy = true;
  c.data.split = {90, 10, 0};
  c.train.optimizer.lr = 3e-3;
  return c;
}

std::vector<double> train(Trainer& trainer, int steps) {
  std::vector<double> bits;
  for (int i = 0; i < steps; ++i) bits.push_back(trainer.step().bits);
  return bits;
}

void save(const Trainer& trainer, const std::string& run) {
  save_checkpoint(run, trainer.config(), trainer.state());
}

void resume(Trainer& trainer, const std::string& run) {
  trainer.restore(state_of(read_checkpoint(run), trainer.config(), trainer.state()));
}

}  // namespace fade::test
