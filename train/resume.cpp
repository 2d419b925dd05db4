#include "train/resume.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <functional>

#include "train/call.h"
#include "train/checkpoint/weights.h"
#include "train/config/schema.h"
#include "train/run_log.h"

namespace fade {
namespace {

// The settings that differ, of those for which `concerns` holds: "train.steps was 100, is 200".
std::vector<std::string> changed_settings(const Config& before, const Config& now,
                                          const std::function<bool(std::string_view key)>& concerns) {
  std::vector<std::string> changes;
  for (const Key& key : config_keys()) {
    const std::string was = value_text(key, before), is = value_text(key, now);
    if (was != is && concerns(key.path))
      changes.push_back(fmt::format("{} was {}, is {}", key.path, was, is));
  }
  return changes;
}

// True for keys that a run keeps: those of the model, except what only training uses and the way it is
// computed; data.vocab, train.batch, train.turns, dtype and seed.
bool stays_when_resumed(std::string_view key) {
  constexpr std::string_view kMayChange[] = {"model.attention", "model.dropout", "model.span.loss",
                                             "model.span.noisy", "model.recompute"};
  constexpr std::string_view kMustStay[] = {"data.vocab", "train.batch", "train.turns", "dtype", "seed"};
  return std::ranges::find(kMustStay, key) != std::end(kMustStay) ||
         (key.starts_with("model.") && std::ranges::find(kMayChange, key) == std::end(kMayChange));
}

// True for keys that change no figure of a run: what it logs and keeps, and the path of the corpus, whose
// bytes are compared.
bool changes_no_figure(std::string_view key) {
  return key == "train.log_every" || key == "train.tensorboard" || key == "train.checkpoint_every" ||
         key.starts_with("train.keep_") || key == "data.path";
}

// True when more steps lead to the same figures in a run that goes on as in one from the start: no schedule
// spreads over all of them.
bool trains_on(const TrainConfig& before, const TrainConfig& now) {
  return now.steps > before.steps && now.schedule.kind == ScheduleKind::constant;
}

// The minutes for which the number of steps of a run was chosen, if it was.
std::optional<double> chosen_for(const std::filesystem::path& run) {
  std::optional<double> minutes;
  for (const auto& [text, line] : read_metrics(run))
    if (line.contains("minutes") && line["minutes"].is_number()) minutes = line["minutes"].get<double>();
  return minutes;
}

// Lets the state continue on other bytes, or in other chunks of them, with the memories given, and says how.
std::string continue_elsewhere(const TrainReader& reader, TrainState& state,
                               const std::vector<Memory>& empty) {
  const StreamPosition before = state.position;
  state.position = reader.possible(before);
  state.memories = empty;
  return before == state.position
             ? fmt::format("streams continue at offset {} with empty memories", before.offset)
             : "streams start again, with empty memories";
}

}  // namespace

void require_unchanged(const Config& config, const std::filesystem::path& run, double minutes) {
  if (checkpoints_to_try(run).empty()) return;  // it was stopped before its first checkpoint
  const Checkpoint checkpoint = read_checkpoint(run);
  const Config before = config_of(checkpoint.weights, checkpoint.folder);
  auto changes = changed_settings(before, config, [&](std::string_view key) {
    return !changes_no_figure(key) &&
           !(key == "train.steps" && (minutes > 0 || trains_on(before.train, config.train)));
  });
  if (minutes > 0 && before.train.steps)
    if (const std::optional<double> was = chosen_for(run); was != minutes)
      changes.push_back(
          fmt::format("--minutes was {}, is {}", was ? fmt::to_string(*was) : "not given", minutes));
  if (!changes.empty())
    refuse("{0}: was trained with other settings: {1} (put them back, give another --out, or remove {0})",
           run.string(), fmt::join(changes, "; "));
  const Corpus corpus(config.data);
  const std::string change = change_of_corpus(corpus_of(checkpoint), corpus.identity(), corpus.name());
  if (!change.empty())
    refuse(
        "{0}: {1}: figures of other bytes cannot be compared "
        "(put it back, give another --out, or remove {0})",
        run.string(), change);
}

Resumed resume(Trainer& trainer, const RunDirectory& directory, bool timed) {
  const Config& config = trainer.config();
  Resumed from;
  const std::optional<Checkpoint> checkpoint = directory.newest_checkpoint(from.notes);
  if (!checkpoint) {
    from.notes.push_back("the run was stopped before its first checkpoint: it starts from the beginning");
    return from;
  }
  const Config before = config_of(checkpoint->weights, checkpoint->folder);
  if (timed) trainer.set_steps(before.train.steps);
  if (timed && before.train.steps)
    from.notes.push_back(fmt::format("the run keeps its {} steps: --minutes ends it sooner, but chooses none",
                                     before.train.steps));
  const std::string run = directory.path().string();
  if (const auto kept = changed_settings(before, config, stays_when_resumed); !kept.empty())
    refuse("--resume: {} was trained with other settings, which must stay: {} (put them back, as {} does)",
           run, fmt::join(kept, "; "), call_of({"train", "--resume", run}));
  for (const std::string& change : changed_settings(before, config, std::not_fn(stays_when_resumed)))
    from.notes.push_back("resumed with another setting: " + change);
  const TrainState fresh = trainer.state();
  TrainState state = state_of(*checkpoint, config, fresh);
  if (config.train.steps && state.steps > config.train.steps)
    refuse("--resume: {} has done {} steps, train.steps is {} (raise it to train on)", run, state.steps,
           config.train.steps);
  from.best = best_of(*checkpoint);
  std::string change = change_of_corpus(state.corpus, fresh.corpus, trainer.corpus().name()), follows;
  if (change.empty() && before.data.split != config.data.split) change = "data.split has changed";
  if (!change.empty()) {
    follows = continue_elsewhere(trainer.reader(), state, fresh.memories) + "; ";
    state.corpus_since = state.steps;
  } else if (!trainer.reader().has_chunks_of(before.train.chunk_bytes))
    from.notes.push_back(continue_elsewhere(trainer.reader(), state, fresh.memories));
  if (change.empty() && before.train.eval_bytes != config.train.eval_bytes)
    change = "train.eval_bytes has changed";
  from.other_validation = !change.empty();
  if (from.other_validation) {
    from.notes.push_back(fmt::format("warning: {}: {}the best validation starts anew", change, follows));
    if (state.corpus_since == state.steps && state.steps)
      from.notes.push_back(fmt::format("step-{}, the last checkpoint of before, is kept", state.steps));
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
