#!/usr/bin/env bash
# On a machine with an NVIDIA GPU: is every result right, how long does a step take, and where does its time go? Stages in the order
# of what they tell, each with a time limit. What a stage found is in the results as soon as it ends, so that a failure, a
# hang or the end of the machine's time loses nothing. Exit status 1 when a stage failed.
#   scripts/gpu_check.sh [BUNDLE] [--minutes N] [--only STAGE...]
#     BUNDLE       what scripts/gpu_bundle.sh made (default: build/bundle)
#     --minutes N  no stage begins or goes on after N minutes (default: 30)
#     --only       only these stages, or those whose names begin so
#   FADE_RESULTS=DIR   where GPU-DATE.json and the stages' logs go (default: bench/results)
#   FADE_GPU_TEXT=FILE text to train on (default: the sources of the operations)
set -uo pipefail
cd "$(dirname "$0")/.."

fail() { echo "gpu_check: $1" >&2; exit 1; }

bundle=build/bundle minutes=30 only=()
[ $# -eq 0 ] || [[ $1 == --* ]] || { bundle=$1; shift; }
while [ $# -gt 0 ]; do
  case $1 in
    --minutes) minutes=${2:-}; shift; [[ $minutes =~ ^[0-9]+(\.[0-9]+)?$ ]] || fail "--minutes: found '$minutes', needs a number" ;;
    --only) shift; only=("$@"); break ;;
    *) fail "$1: unknown argument (scripts/gpu_check.sh [BUNDLE] [--minutes N] [--only STAGE...])" ;;
  esac
  shift
done

[ -z "${FADE_GPU_TEXT:-}" ] || [ -f "$FADE_GPU_TEXT" ] || fail "FADE_GPU_TEXT=$FADE_GPU_TEXT: there is no such file"

command -v nvidia-smi >/dev/null || fail "nvidia-smi is not installed: no NVIDIA driver (install it, or use another machine)"
gpu=$(nvidia-smi --query-gpu=name --format=csv,noheader 2>/dev/null | head -n 1) && [ -n "$gpu" ] ||
  fail "nvidia-smi finds no GPU ($(nvidia-smi 2>&1 | head -n 1))"
driver=$(nvidia-smi --query-gpu=driver_version --format=csv,noheader | head -n 1)
fade=$PWD/$bundle/fade tests=$PWD/$bundle/tests/fade_tests
[[ $bundle != /* ]] || fade=$bundle/fade tests=$bundle/tests/fade_tests
[ -x "$fade" ] && [ -x "$tests" ] && [ -f "$bundle/device_suites" ] && [ -f "$bundle/about" ] ||
  fail "$bundle: not all of fade, tests/fade_tests, device_suites and about are there (scripts/gpu_bundle.sh makes them)"
about() { sed -n "s/^$1 //p" "$bundle/about"; }

# The tests read files of the sources where they were built.
source=$(about source)
[ -z "$source" ] || [ -e "$source" ] || { mkdir -p "$(dirname "$source")" && ln -s "$PWD" "$source"; }
# cuBLAS: of the CUDA toolkit, or of PyTorch's packages.
cublas=$(python3 -c 'import nvidia; print(":".join(f"{p}/cu13/lib" for p in nvidia.__path__))' 2>/dev/null) || cublas=
export LD_LIBRARY_PATH=${LD_LIBRARY_PATH:+$LD_LIBRARY_PATH:}/usr/local/cuda/lib64${cublas:+:$cublas}
export OMP_WAIT_POLICY=passive FADE_TEST_DEVICE=cuda

folder=${FADE_RESULTS:-bench/results}
name=$(tr 'A-Z ' 'a-z-' <<<"$gpu" | tr -cd 'a-z0-9-')-$(date +%F)
results=$folder/$name.json logs=$folder/$name-logs
mkdir -p "$logs"
record() { python3 scripts/gpu_record.py "$results" "$@"; }
record --start gpu="$gpu" driver="$driver" cuda="$(about cuda)" commit="$(about commit)" || fail "$results cannot be written"

failed=0 deadline=$((SECONDS + $(awk "BEGIN { print int(60 * $minutes) }")))
wanted() {  # NAME: a stage of --only?
  [ ${#only[@]} -gt 0 ] || return 0
  for prefix in "${only[@]}"; do [[ $1 != "$prefix"* ]] || return 0; done
  return 1
}
# stage NAME SECONDS COMMAND...
stage() {
  local name=$1 limit=$2 began=$SECONDS code=0
  shift 2
  wanted "$name" || return 0
  [ $((deadline - SECONDS)) -ge "$limit" ] || limit=$((deadline - SECONDS))
  if [ "$limit" -lt 5 ]; then
    record --stage "$name" --left-out "no time left"
    return
  fi
  timeout -k 5 "$limit" bash -c '"$@"' - "$@" >"$logs/$name.log" 2>"$logs/$name.err" || code=$?
  [ "$code" -eq 0 ] || failed=1
  record --stage "$name" --code "$code" --limit "$limit" --seconds $((SECONDS - began)) --log "$logs/$name"
}
has() {  # NAME PROGRAM: may stage NAME run?
  wanted "$1" || return 1
  command -v "$2" >/dev/null || { record --stage "$1" --left-out "$2 is not installed"; return 1; }
}

# run_suite COMMAND... SUITE: with a line when it fails. The name of its log is that of the command's tool and of the suite.
run_suite() {
  local suite=${*: -1} log code=0
  log=$logs/$(tr -c 'a-zA-Z0-9\n' - <<<"${*:1:$#-1} $suite" | sed 's/.*sanitizer---tool-//; s/--[^ ]*-tests-fade-tests//; s/^-.*fade-tests-//').log
  "${@:1:$#-1}" --run_test="$suite" >"$log" 2>&1 || code=$?
  [ $code -eq 0 ] || echo "$(basename "$log" .log): exit $code $(grep -m 1 -E 'error:|fatal|=====.*(Error|Race|hazard|Uninit|Barrier)' "$log")"
}
# Standard input: a command and a suite per line. Fails if one of them fails, and if there is none.
run_suites() {
  set -o pipefail
  local suites faults
  suites=$(cat) && [ -n "$suites" ] || { echo "there is no suite to run" >&2; return 1; }
  faults=$(xargs -P 14 -d '\n' -I{} bash -c 'run_suite {}' <<<"$suites" | tee /dev/stderr) && [ -z "$faults" ]
}
export -f run_suite run_suites
export logs

bench() {  # NAME CONFIG LIVE [OPTIONS...]
  stage "bench-$1-$3" 60 "$fade" bench "$2" --live "$3" --device cuda --steps 10 --json "${@:4}"
}
peer() {  # NAME LIVE OPTIONS...: PyTorch's step, and fade's of the same sizes
  stage "peer-$1-$2" 120 python3 bench/peer_pytorch.py --device cuda --live "$2" --steps 10 --json --config "$config" "${@:3}"
}

stage card 60 python3 bench/gpu_ceilings.py
stage smoke 60 "$fade" bench configs/bench_cpu.yaml --live 64 --steps 3 --device cuda --json
stage suites 150 run_suites < <(sed "s|^|'$tests' |" "$bundle/device_suites")
for precision in f32 tf32; do
  for live in 1024 2048 4096; do
    bench 12l-$precision configs/enwik8_12l.yaml "$live" --set train.batch=64 --set precision=$precision
  done
  for live in 512 1024 2048; do bench small-$precision configs/enwik8_small.yaml "$live" --set precision=$precision; done
done
one_layer=(configs/enwik8_12l.yaml --live 2048 --device cuda --steps 1 --json --set train.batch=64 --set model.layers=1)
for precision in f32 tf32; do
  profiled=("$fade" bench "${one_layer[@]}" --set precision=$precision)
  ! has profile-$precision ncu || stage profile-$precision 90 ncu --clock-control none --metrics gpu__time_duration.sum --csv \
    --page raw "${profiled[@]}"
  ! has attention-$precision ncu || stage attention-$precision 90 ncu --clock-control none --set full \
    --kernel-name 'regex:^(forward|backward_d)' --launch-skip 9 --launch-count 3 "${profiled[@]}"
done
stage trace 60 "$fade" trace configs/enwik8_12l.yaml --set train.batch=64 --live 2048 --device cuda --fold --json

sanitizers() {
  for suite in cuda span_attention_test golden optimizer ops/{span_attention,gather_rows,layer_norm,softmax,cross_entropy,masked_renorm,reduce}; do
    for tool in racecheck memcheck synccheck initcheck; do
      echo "compute-sanitizer --tool $tool --report-api-errors no --error-exitcode 9 --kernel-name kernel_substring=fade '$tests' $suite"
    done
  done
}
! has sanitizers compute-sanitizer || stage sanitizers 120 run_suites < <(sanitizers)

text=${FADE_GPU_TEXT:-$logs/text}
[ -f "$text" ] || cat ops/*/*.cpp ops/*/*.h >"$text"
rm -rf "$logs/run" # (of a check that was stopped)
training=(--set "data.path=$text" --set train.batch=16 --set train.eval_every=1000 --out "$logs/run" --device cuda)
stage train 60 "$fade" train configs/enwik8_small.yaml "${training[@]}" --set train.steps=200
stage resume 60 "$fade" train --resume "$logs/run" --set train.steps=300
stage eval 60 "$fade" eval "$logs/run" --json
rm -rf "$logs/run"

config=configs/enwik8_12l.yaml
for live in 1024 2048; do
  for precision in f32 tf32; do
    bench b16-$precision $config "$live" --set train.batch=16 --set model.dropout=0 --set precision=$precision
  done
  peer f32 $live --batch 16
  peer tf32 $live --batch 16 --precision tf32
  peer bf16 $live --batch 16 --precision bf16
  peer bf16-compiled $live --batch 16 --precision bf16 --compile
done

record --table
exit $failed
