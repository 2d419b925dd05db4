// Settings that a configuration makes without effect.
#pragma once

#include <string>
#include <vector>

#include "train/config/config.h"

namespace fade {

/// For each of `overrides` ("key.path=value") whose key the configuration's kinds never read, what to tell
/// about it: "--set data.path=notes.txt has no effect: data.kind is recall". Only overrides: a file may hold
/// the settings of several kinds.
std::vector<std::string> unread_settings(const Config& config, const std::vector<std::string>& overrides);

}  // namespace fade
