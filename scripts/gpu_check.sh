#!/usr/bin/env bash
# On a machine with an NVIDIA GPU: runs every test on the device, runs the operations under compute-sanitizer, and times a
# training step. Writes bench/results/<gpu>-<date>.json. Without a GPU it fails with one error.
#   scripts/gpu_check.sh [BUILD]      BUILD: an existing build directory of preset cuda (default: builds build/cuda)
#   FADE_SANITIZER_TESTS=ops/softmax  the tests under compute-sanitizer (default: ops,cuda)
#   FADE_RESULTS=DIR                  where the results go (default: bench/results)
set -euo pipefail
cd "$(dirname "$0")/.."

fail() { echo "gpu_check: $1" >&2; exit 1; }

command -v nvidia-smi >/dev/null || fail "nvidia-smi is not installed: no NVIDIA driver (install it, or use another machine)"
gpu=$(nvidia-smi --query-gpu=name --format=csv,noheader 2>/dev/null | head -n 1) && [ -n "$gpu" ] ||
  fail "nvidia-smi finds no GPU ($(nvidia-smi 2>&1 | head -n 1))"
driver=$(nvidia-smi --query-gpu=driver_version --format=csv,noheader | head -n 1)

build=${1:-build/cuda}
if [ $# -eq 0 ]; then
  command -v nvcc >/dev/null || export PATH="/usr/local/cuda/bin:$PATH"
  command -v nvcc >/dev/null || fail "nvcc is not installed (install the CUDA toolkit, or give an existing build: scripts/gpu_check.sh BUILD)"
  scripts/install_dependencies.sh
  scripts/configure.sh cuda
  cmake --build --preset cuda
fi
fade=$build/fade tests=$build/tests/fade_tests
[ -x "$fade" ] && [ -x "$tests" ] || fail "$build: fade and tests/fade_tests are missing (is it a build of preset cuda?)"
"$fade" bench configs/bench_cpu.yaml --live 64 --steps 1 --device cuda >/dev/null || fail "$fade does not run on the $gpu"

echo "== every test, with the $gpu as device cuda"
if [ $# -eq 0 ]; then
  ctest --preset cuda
else
  "$tests"
fi

sanitized=()
if command -v compute-sanitizer >/dev/null; then
  for tool in memcheck racecheck initcheck; do
    echo "== compute-sanitizer, $tool"
    compute-sanitizer --tool "$tool" --error-exitcode 9 --launch-timeout 0 "$tests" --run_test="${FADE_SANITIZER_TESTS:-ops,cuda}"
    sanitized+=("$tool")
  done
else
  echo "compute-sanitizer is not installed (part of the CUDA toolkit): skipped"
fi

# One step of each configuration per number of live rows; of the 12-layer model, the share of one of 8 GPUs.
lines=$(mktemp)
failure=$(mktemp)
trap 'rm -f "$lines" "$failure"' EXIT
failed=0
measure() {  # CONFIG LIVE [OPTIONS...]
  local arguments="$1 --live $2 ${*:3}" result
  echo "== fade bench $arguments"
  result=$("$fade" bench "$1" --live "$2" --device cuda --json "${@:3}" 2>"$failure") || { failed=1; cat "$failure" >&2; }
  echo "$result"
  printf '%s\t%s\t%s\n' "$arguments" "$result" "$(tr '\n' ' ' <"$failure")" >>"$lines"
}
for live in 512 1024 2048; do measure configs/enwik8_small.yaml "$live"; done
for live in 1024 2048 4096; do measure configs/enwik8_12l.yaml "$live" --set train.batch=64; done

results=${FADE_RESULTS:-bench/results}
mkdir -p "$results"
out=$results/$(tr 'A-Z ' 'a-z-' <<<"$gpu" | tr -cd 'a-z0-9-')-$(date +%F).json
cuda=$(sed -n 's/^set(CMAKE_CUDA_COMPILER_VERSION "\(.*\)")/\1/p' "$build"/CMakeFiles/*/CMakeCUDACompiler.cmake 2>/dev/null | head -n 1) || true
python3 - "$gpu" "$driver" "${cuda:-unknown}" "$(git describe --always --dirty 2>/dev/null || echo unknown)" "${sanitized[*]:-}" "$lines" >"$out" <<'END'
import json, sys

gpu, driver, cuda, commit, sanitized, lines = sys.argv[1:]
bench = []
for line in open(lines):
    arguments, result, error = line.rstrip("\n").split("\t")
    bench.append({"arguments": arguments, **(json.loads(result) if result else {"error": error})})
print(json.dumps({"gpu": gpu, "driver": driver, "cuda": cuda, "commit": commit, "tests": "passed",
                  "compute_sanitizer": sanitized.split(), "bench": bench}, indent=1))
END
echo "written: $out"
exit $failed
