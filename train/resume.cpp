#include "train/resume.h"

#include <fmt/format.h>

#include "train/call.h"
#include "train/checkpoint/weights.h"

namespace fade {
namespace {

// Why training reads other bytes than before; empty when it does not, as far as is known.
std::string change_of_training(const Config& before, const CorpusIdentity& trained, const Trainer& trainer) {
  const CorpusIdentity corpus = trainer.state().corpus;
  const std::string& name = trainer.corpus().name();
  if (!trained.hash.empty() && trained.bytes != corpus.bytes)
    return fmt::format("{} has changed: {} bytes were trained on, it has {} now", name, trained.bytes,
                       corpus.bytes);
  if (!trained.hash.empty() && trained.hash != corpus.hash)
    return fmt::format("{} has changed: it has {} bytes as before, but other ones", name, corpus.bytes);
  return before.data.split != trainer.config().data.split ? "data.split has changed" : "";
}

// Lets the state continue on other bytes, and says how.
std::string continue_on_other_bytes(const Trainer& trainer, TrainState& state) {
  const StreamPosition before = state.position;
  state.position = trainer.reader().possible(before);
  state.memory = trainer.state().memory;
  return before == state.position
             ? fmt::format("streams continue at offset {} with empty memories", before.offset)
             : "streams are shorter and start again, with empty memories";
}

}  // namespace

Resumed resume(Trainer& trainer, const RunDirectory& directory, bool same_validation) {
  const Config& config = trainer.config();
  Resumed from;
  const std::optional<Checkpoint> checkpoint = directory.newest_checkpoint(from.notes);
  if (!checkpoint) {
    from.notes.push_back("the run was stopped before its first checkpoint: it starts from the beginning");
    return from;
  }
  const Config before = config_of(checkpoint->weights, checkpoint->folder);
  for (const std::string& change : changed_settings(before, config, directory.path()))
    from.notes.push_back("resumed with another setting: " + change);
  TrainState state = state_of(*checkpoint, config, trainer.state());
  if (state.steps > config.train.steps)
    refuse("--resume: {} has done {} steps, train.steps is {} (raise it to train on)",
           directory.path().string(), state.steps, config.train.steps);
  from.best = best_of(*checkpoint);
  std::string change = change_of_training(before, state.corpus, trainer), follows;
  if (!change.empty()) follows = continue_on_other_bytes(trainer, state) + "; ";
  if (change.empty() && before.train.eval_bytes != config.train.eval_bytes)
    change = "train.eval_bytes has changed";
  from.other_validation = !change.empty();
  if (from.other_validation) {
    if (same_validation)
      refuse("{}: {}: validations on other bytes cannot be compared (put it back, or give another --out)",
             directory.path().string(), change);
    from.notes.push_back(fmt::format("warning: {}: {}the best validation starts anew", change, follows));
    from.best.reset();
  }
  if (state.optimizer.empty())
    from.notes.push_back(fmt::format("the optimizer was {}, is {}: its moments start at zero",
                                     name_of(before.train.optimizer.kind),
                                     name_of(config.train.optimizer.kind)));
  trainer.restore(state);
  from.step = state.steps;
  return from;
}

}  // namespace fade
