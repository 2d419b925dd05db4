#!/usr/bin/env bash
# Runs clang-tidy (.clang-tidy lists the disabled checks and the reasons) and cppcheck over every source; exit code 1 if either
# reports something. Half an hour on two cores.
#   scripts/lint.sh [FILE...]      default: every .cpp of engine, ops, nn, models, train, cli, examples and tests
set -euo pipefail
cd "$(dirname "$0")/.."
scripts/configure.sh asan # (writes clang's compile commands)
files=("$@")
[ $# -gt 0 ] || mapfile -t files < <(git ls-files 'engine/*.cpp' 'ops/*.cpp' 'nn/*.cpp' 'models/*.cpp' 'train/*.cpp' 'cli/*.cpp' 'examples/*.cpp' 'tests/*.cpp' ':!examples/outside/')  # (compiled against an installed fade)

found=0
printf '%s\n' "${files[@]}" | xargs -P "$(nproc)" -n 1 clang-tidy --quiet -p build/asan 2>/dev/null || found=1

# Not enabled: style, because a loop is often clearer than an algorithm, and assignments in a constructor are often clearer than
# long initialisers; unusedFunction, because it needs the whole program with every macro. System headers are the libraries' own.
cppcheck --std=c++20 --language=c++ --enable=warning,performance,portability --inline-suppr --error-exitcode=1 --quiet -j "$(nproc)" -I . \
  --suppress=missingIncludeSystem --suppress=useInitializationList \
  `# (does not know the macros of Boost and Highway)` --suppress=unknownMacro --suppress=syntaxError --suppress=internalAstError \
  `# (does not see that a [[noreturn]] function of another file ends a path)` --suppress=missingReturn \
  "${files[@]}" || found=1
exit $found
