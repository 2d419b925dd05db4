#!/usr/bin/env bash
# Builds, on a machine that needs no GPU, what scripts/gpu_check.sh runs on one that has a GPU and none of our libraries:
# the program, its tests and the libraries that they need, for compute capability 9.0. cuBLAS is not in the bundle: it
# comes with the CUDA toolkit, and with PyTorch.
#   scripts/gpu_bundle.sh [ARCHITECTURES]    (90-real)    writes build/bundle
set -euo pipefail
cd "$(dirname "$0")/.."
build=build/gpu bundle=build/bundle
command -v nvcc >/dev/null || export PATH="/usr/local/cuda/bin:$PATH"
command -v nvcc >/dev/null || { echo "gpu_bundle: nvcc is not installed (install the CUDA toolkit)" >&2; exit 1; }

lib=/usr/lib/$(gcc -print-multiarch)
scripts/configure.sh cuda -B $build "-DCMAKE_CUDA_ARCHITECTURES=${1:-90-real}" -DFADE_BENCH=OFF \
  '-DCMAKE_BUILD_RPATH=$ORIGIN/lib;$ORIGIN/../lib;/usr/local/cuda/lib64' \
  "-DFADE_ZSTD=$lib/libzstd.a" "-DFADE_XXHASH=$lib/libxxhash.a" -DZLIB_USE_STATIC_LIBS=ON "-DLIBLZMA_LIBRARY_RELEASE=$lib/liblzma.a"
cmake --build $build --target fade fade_tests

rm -rf $bundle
mkdir -p $bundle/tests $bundle/lib
cp $build/fade $bundle/
cp $build/tests/fade_tests $bundle/tests/
strip $bundle/fade $bundle/tests/fade_tests
ldd $bundle/fade $bundle/tests/fade_tests | sed -n 's/.* => \([^ ]*\/lib\(fmt\|yaml-cpp\|hwy\|boost\)[^ ]*\) .*/\1/p' | sort -u |
  xargs -I{} cp -L {} $bundle/lib/
ctest --test-dir $build -N -V -L device | sed -n 's/.*fade_tests "--run_test=\([^"]*\)"$/\1/p' >$bundle/device_suites
{
  echo "commit $(git describe --always --dirty)"
  echo "cuda $(nvcc --version | sed -n 's/.*release \([0-9.]*\).*/\1/p')"
  echo "source $PWD"  # the tests read files of the sources at this path
} >$bundle/about
(cd $bundle && find . -type f ! -name manifest -print0 | sort -z | xargs -0 sha256sum >manifest)
du -sh $bundle
