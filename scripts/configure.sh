#!/usr/bin/env bash
# Configures the build of a preset. A build whose folder has been moved or copied is refused in one line: its files name the old
# place, and CMake would advise to build there.
#   scripts/configure.sh PRESET [-B BUILD] [OPTIONS...]      BUILD and OPTIONS as of cmake --preset
set -euo pipefail
cd "$(dirname "$0")/.."
build=build/$1
[ "$1" != cpu ] || build=build # (as CMakePresets.json has it)
[ "${2:-}" != -B ] || build=$3

if [ -f "$build/CMakeCache.txt" ]; then
  made_in=$(sed -n 's/^CMAKE_HOME_DIRECTORY:INTERNAL=//p' "$build/CMakeCache.txt")
  if [ -n "$made_in" ] && [ "$(readlink -f "$made_in")" != "$(pwd -P)" ]; then
    printf '%s was made in %s, which its files name: remove it (rm -r %q)\n' "$PWD/$build" "$made_in" "$PWD/$build" >&2
    exit 1
  fi
fi
cmake --preset "$@" >/dev/null
