// The run of chapter 8 and its exercises.
#pragma once

#include "train/config/config.h"

/// A model of 13,000 parameters, and a text with one fact at a time, asked for 7 to 15 bytes later.
inline fade::Config small_run(double price, int ramp) {
  fade::Config c;
  c.model.layers = 2, c.model.hidden = 16, c.model.ff = 32, c.model.heads = 2;
  c.model.block = 16, c.model.max_span = 64;
  c.model.span = {.ramp = ramp, .loss = price, .pre_div = 1, .init = 0.2};
  c.data.kind = fade::DataKind::recall;
  c.data.recall = {
      .bytes = 200'000, .keys = 1, .values = 4, .noise = 4, .facts = 1, .gap = 0, .wait_max = 12};
  c.train.batch = 16, c.train.steps = 200, c.train.clip = 1, c.train.eval_bytes = 10'000;
  c.train.optimizer.lr = 0.01;
  c.train.schedule = {.kind = fade::ScheduleKind::cosine, .warmup = 20, .final = 0.1};
  c.dtype = fade::Precision::f64;
  return c;
}
