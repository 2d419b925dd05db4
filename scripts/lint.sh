#!/usr/bin/env bash
# clang-tidy (.clang-tidy says which checks are off, and why) and cppcheck over every source; exit code 1 if either finds
# something. A quarter of an hour on two cores.
#   scripts/lint.sh [FILE...]      default: every .cpp of engine, ops, nn, models, train, cli and tests
set -euo pipefail
cd "$(dirname "$0")/.."
cmake --preset asan >/dev/null # (clang's compile commands)
files=("$@")
[ $# -gt 0 ] || mapfile -t files < <(git ls-files 'engine/*.cpp' 'ops/*.cpp' 'nn/*.cpp' 'models/*.cpp' 'train/*.cpp' 'cli/*.cpp' 'tests/*.cpp')

found=0
printf '%s\n' "${files[@]}" | xargs -P "$(nproc)" -n 1 clang-tidy --quiet -p build/asan 2>/dev/null || found=1

# Switched off: unusedFunction and the like need the whole program with every macro; missing system headers are the libraries';
# style opinions that the code doesn't share: a loop is often clearer than an algorithm, and assignments in a constructor than
# one long expression each.
cppcheck --std=c++20 --language=c++ --enable=warning,performance,portability --inline-suppr --error-exitcode=1 --quiet -j "$(nproc)" -I . \
  --suppress=missingIncludeSystem --suppress=useInitializationList \
  `# (reads Boost's and Highway's macros as unknown)` --suppress=unknownMacro --suppress=syntaxError --suppress=internalAstError \
  `# (doesn't see that [[noreturn]] functions of other files end a path)` --suppress=missingReturn \
  "${files[@]}" || found=1
exit $found
