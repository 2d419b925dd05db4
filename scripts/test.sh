#!/usr/bin/env bash
# Installs what is missing, builds everything with warnings as errors, and runs every test.
#   scripts/test.sh [PRESET]      PRESET: cpu (default) or asan, see CMakePresets.json
set -euo pipefail
cd "$(dirname "$0")/.."
preset=${1:-cpu}

scripts/install_dependencies.sh

# Formatting: the style is clang-format 14's, and other versions differ in details.
if clang-format --version 2>/dev/null | grep -q 'version 14'; then
  git ls-files '*.h' '*.cpp' '*.cu' | xargs -r clang-format --dry-run --Werror
else
  echo "clang-format 14 is not here: formatting is not checked"
fi

cmake --preset "$preset" >/dev/null
cmake --build --preset "$preset"
ctest --preset "$preset"
