#!/usr/bin/env bash
# Installs the missing packages that fade needs to build, from the distribution (Debian and Ubuntu).
#   scripts/install_dependencies.sh [--no-tests]      --no-tests: without packages that only tests and benchmarks need
set -euo pipefail

packages=(g++ cmake ninja-build curl unzip libfmt-dev libyaml-cpp-dev nlohmann-json3-dev libcli11-dev libhwy-dev zlib1g-dev liblzma-dev libzstd-dev libxxhash-dev libopenmpi-dev openmpi-bin)
if [ "${1:-}" != --no-tests ]; then
  packages+=(git libboost-test-dev libboost-context-dev libbenchmark-dev clang-format ccache python3 python3-numpy python3-venv graphviz doxygen)
  # for sanitizers, fuzzing and lint; the package of the sanitizer runtimes is named after the distribution's clang version
  packages+=(clang "libclang-rt-$(apt-cache depends clang 2>/dev/null | sed -n 's/.*Depends: clang-\([0-9]*\)$/\1/p' | grep . || echo 14)-dev"
    libopenblas-serial-dev clang-tidy cppcheck)
  packages+=(pkg-config dpkg-dev file fakeroot)  # for the test of the library in other projects
  packages+=(iproute2 procps)  # for the test of ranks on two hosts
  # for tests of pages in a browser, which are skipped without it; Ubuntu has it as a snap only
  grep -qx 'ID=ubuntu' /etc/os-release || packages+=(chromium chromium-driver python3-selenium)
fi

if ! command -v dpkg-query >/dev/null; then
  echo "not a Debian or Ubuntu system: install the equivalents of ${packages[*]}" >&2
  exit 0
fi

missing=()
for p in "${packages[@]}"; do
  dpkg-query -W -f='${Status}' "$p" 2>/dev/null | grep -q 'install ok installed' || missing+=("$p")
done
[ ${#missing[@]} -eq 0 ] && exit 0

as_root=()
if [ "$(id -u)" -ne 0 ]; then
  command -v sudo >/dev/null || { echo "sudo is not available to install the missing packages (install as root): ${missing[*]}" >&2; exit 1; }
  as_root=(sudo)
fi
echo "installing: ${missing[*]}"
"${as_root[@]}" apt-get update -qq
"${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
