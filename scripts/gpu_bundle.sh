#!/usr/bin/env bash
# Makes, on a machine that needs no GPU, what scripts/gpu_check.sh runs on one that has a GPU and none of our libraries: a
# folder with the sources, the program, its tests, the libraries that they need, and a manifest with the commit and the hash
# of every file. cuBLAS and NCCL are not in it: they come with the CUDA toolkit, and with PyTorch.
#   scripts/gpu_bundle.sh [--build BUILD] [--out FOLDER] [--arch ARCHITECTURES]
#     --build BUILD  the folder of a build that is there (preset cpu, emulate, ..); otherwise, build/gpu is built with nvcc
#     --out FOLDER   where the bundle goes (default: build/bundle)
#     --arch         compute capabilities of that build, as CMAKE_CUDA_ARCHITECTURES (default: 90-real)
# The bundle is refused if it exceeds 60 MiB, lacks a library, or has a path of the build in a program. Then its program runs in
# a root that has nothing else (scripts/bare_root.sh).
set -euo pipefail
caller=$PWD
cd "$(dirname "$0")/.."
fail() { echo "gpu_bundle: $1" >&2; exit 1; }
absolute() { (cd "$caller" && realpath -m "$1"); }
usage="scripts/gpu_bundle.sh [--build BUILD] [--out FOLDER] [--arch ARCHITECTURES]"

build='' bundle=$PWD/build/bundle arch=90-real
while [ $# -gt 0 ]; do
  [ -n "${2:-}" ] || fail "$1: needs a value ($usage)"
  case $1 in
    --build) build=$(absolute "$2") ;;
    --out) bundle=$(absolute "$2") ;;
    --arch) arch=$2 ;;
    *) fail "$1: unknown option ($usage)" ;;
  esac
  shift 2
done
[ ! -e "$bundle" ] || [ -f "$bundle/manifest" ] || [ -f "$bundle/.manifest" ] || fail "$bundle: is there, and is no bundle (remove it, or give --out another)"
for logs in "$bundle"/bench/results/*-logs; do
  [ ! -e "$logs" ] ||
    fail "${logs%-logs}.json: results of scripts/gpu_check.sh (move them and their logs, or give --out another folder)"
done

if [ -z "$build" ]; then
  build=$PWD/build/gpu
  command -v nvcc >/dev/null || export PATH="/usr/local/cuda/bin:$PATH"
  command -v nvcc >/dev/null || fail "nvcc is not installed (install the CUDA toolkit)"
  scripts/configure.sh cuda -B build/gpu "-DCMAKE_CUDA_ARCHITECTURES=$arch" -DFADE_BENCH=OFF
  cmake --build "$build" --target fade fade_tests
fi
[ -x "$build/fade" ] && [ -x "$build/tests/fade_tests" ] || fail "$build: fade and tests/fade_tests are not built"
commit=$(git rev-parse --short=10 HEAD) || fail "$PWD is no repository of git, which says what belongs to it"
built=$("$build/fade" --version | sed -n 's/.*(commit \(.*\)).*/\1/p')
[ -z "$built" ] || [ "$built" = "$commit" ] || fail "$build/fade is of commit $built, the sources of $commit: build it again"

rm -rf "$bundle"
mkdir -p "$bundle/lib"
git ls-files -z --cached --others --exclude-standard | tar -c --null -T - | tar -x -C "$bundle"
programs=("$bundle/fade" "$bundle/tests/fade_tests")
cp "$build/fade" "$bundle/"
cp "$build/tests/fade_tests" "$bundle/tests/"
strip "${programs[@]}"

# Libraries: those of every machine with a driver and CUDA are not copied.
needed=$(ldd "${programs[@]}" | grep -v ':$' | sed 's/ (0x[0-9a-f]*)$//' | sort -u)
! grep 'not found' <<<"$needed" >&2 || fail "a library is missing here"
everywhere='^(linux-vdso|ld-linux[^ ]*|libc|libm|libdl|librt|libpthread|libstdc\+\+|libgcc_s|libcublas|libcublasLt|libcudart|libnccl)\.so'
elsewhere=
while read -r library _ file _; do
  if [[ $library =~ $everywhere ]]; then elsewhere+=" $library"; else cp -L "$file" "$bundle/lib/"; fi
done < <(grep ' => ' <<<"$needed")
# Libraries that name a folder for their own libraries (Open MPI's) shall find them beside them. The text is replaced in place.
for library in "$bundle"/lib/*; do
  folder=$(readelf -d "$library" | sed -n 's/.*(RUNPATH).*\[\(.*\)\]$/\1/p')
  [ -z "$folder" ] || FOLDER=$folder perl -0777 -pi -e 's/\Q$ENV{FOLDER}\E\0/q($ORIGIN) . "\0" x (length($ENV{FOLDER}) - 6)/e' "$library"
done

# (Those left out are about the emulated device itself.)
ctest --test-dir "$build" -N -V -L device -E 'reverse_order|emulated_device' |
  sed -n 's/.*fade_tests "--run_test=\([^"]*\)"$/\1/p' >"$bundle/device_suites"
cuda=none
[[ $elsewhere != *libcublas* ]] || cuda=$(nvcc --version | sed -n 's/.*release \([0-9.]*\).*/\1/p')
{
  echo "# commit $commit$([ -z "$(git status --porcelain)" ] || echo -dirty)"
  echo "# elsewhere$elsewhere"
  echo "# cuda $cuda"
  (cd "$bundle" && find . -type f ! -path './*manifest' -print0 | sort -z | xargs -0 sha256sum)
} >"$bundle/.manifest"

for place in "$PWD" "$build"; do
  ! grep -aPl "\Q$place\E(/|\x00)" "${programs[@]}" >&2 || fail "a program has a path of the build in it: $place"
done
size=$(du -sm --apparent-size "$bundle" | cut -f 1)
[ "$size" -le 60 ] || fail "$bundle: $size MiB, 60 are allowed"
mv "$bundle/.manifest" "$bundle/manifest" # (without one, a bundle that was refused is not taken)
echo "$bundle: $size MiB, commit $commit"

tried=0
scripts/bare_root.sh "$bundle" /bundle/fade --version || tried=$?
[ $tried -eq 0 ] || [ $tried -eq 77 ] || fail "the program does not run in a root with glibc, libstdc++, cuBLAS and NCCL alone"
