#!/usr/bin/env bash
# A bundle of scripts/gpu_bundle.sh runs in a root that has nothing but the bundle, glibc and libstdc++: the program computes
# there, and the tests find what they read. Needs $FADE, the program in the folder of a build with its tests.
#   gpu_bundle_test.sh [BUNDLE]      of a bundle that is there, such as one with kernels: cuBLAS is in that root, too
set -u
root=$PWD
. tests/shell/cli_support.sh

bundle=${1:-$dir/bundle}
if [ $# -eq 0 ]; then
  build=$(dirname "$fade")
  if [ ! -x "$build/tests/fade_tests" ] || [ ! -d "$root/.git" ] || ! grep -q '^FADE_SANITIZE:.*=OFF$' "$build/CMakeCache.txt"; then
    echo "skipped: $build is not the build of a repository of git with its tests, and without sanitizers"
    exit 77
  fi
  "$root/scripts/gpu_bundle.sh" --build "$build" --out "$bundle" >out 2>err || fatal "a bundle of $build: exit code $?"
fi
in_root() { "$root/scripts/bare_root.sh" "$bundle" "$@" >out 2>err; }
in_root /bundle/fade --version
code=$?
[ $code -ne 77 ] || { cat err; exit 77; }
holds "the program runs" test $code -eq 0
holds "it computes" in_root /bundle/fade bench /bundle/configs/bench_cpu.yaml --live 64 --steps 1 --device cpu --json
for suite in golden structure recall; do # (these read files of the sources)
  holds "suite $suite passes" in_root /bundle/tests/fade_tests --run_test=$suite
done

if [ $# -eq 0 ]; then
  rm bundle/lib/libfmt*
  holds "without one of its libraries nothing runs" eval '! in_root /bundle/fade --version'
  holds "as the loader says" grep -q 'libfmt.*cannot open shared object file' err
  mkdir -p planted/tests
  cp "$build/fade" planted/
  printf '%s/planted' "$root" >path
  objcopy --add-section .planted=path "$build/tests/fade_tests" planted/tests/fade_tests
  holds "a path of the build in a program is refused" eval '! "$root/scripts/gpu_bundle.sh" --build planted --out refused 2>err'
  holds "and both are named" eval 'grep -q "refused/tests/fade_tests" err && grep -q "^gpu_bundle: .*a path of the build in it: $root" err'
  mkdir -p folder bundle/bench/results/gpu-logs
  holds "a bundle with results is not overwritten" eval '! "$root/scripts/gpu_bundle.sh" --build "$build" --out bundle 2>err'
  holds "and these are named" grep -q '^gpu_bundle: .*/bundle/bench/results/gpu.json: results of scripts/gpu_check.sh' err
  holds "a folder that is no bundle is not overwritten" eval '! "$root/scripts/gpu_bundle.sh" --build "$build" --out folder 2>err'
  holds "and named" grep -q '^gpu_bundle: .*/folder: is there, and is no bundle' err
  holds "a folder without programs is refused" eval '! "$root/scripts/gpu_bundle.sh" --build folder --out other 2>err'
  holds "by name" grep -q '^gpu_bundle: .*/folder: fade and tests/fade_tests are not built' err
fi
finish
