#!/usr/bin/env bash
# Trains for half an hour, first at full spans, then with spans that shrink and grow. Fails if memory grows by more than 1 % after
# the first steps (tests/train/soak.cpp).
#   scripts/soak.sh [--minutes N]
set -euo pipefail
cd "$(dirname "$0")/.."
minutes=30
if [ "${1:-}" = --minutes ] && [ $# -eq 2 ]; then
  minutes=$2
elif [ $# -gt 0 ]; then
  echo "usage: scripts/soak.sh [--minutes N]" >&2
  exit 2
fi
scripts/configure.sh cpu
cmake --build --preset cpu --target fade_soak
build/tests/fade_soak "$minutes"
