#!/usr/bin/env bash
# On a machine with an NVIDIA GPU: is every result right, how long does a step take, and where does its time go? Stages in the order
# of what they tell (scripts/gpu_stages.sh), each with a time limit. What a stage found is in the results as soon as it ends, so
# that a failure, a hang or the end of the machine's time loses nothing. Ends with a table. Exit status 1 when a stage failed.
#   scripts/gpu_check.sh [BUNDLE] [--minutes N] [--rest-of RESULTS] [--plan] [--only STAGE...]
#     BUNDLE       what scripts/gpu_bundle.sh made (default: the one that this script lies in, or build/bundle)
#     --minutes N  no stage begins or goes on after N minutes (default: 15)
#     --rest-of    without the stages that passed in an earlier check
#     --plan       print the stages, their limits, and how long they have taken before; run nothing
#     --only       only these stages, or those whose names begin so
#   FADE_RESULTS=DIR   where GPU-DATE.json and the stages' logs go (default: bench/results)
#   FADE_GPU_TEXT=FILE text to train on (default: the sources of fade)
#   FADE_GPU_SET="KEY=VALUE ..."   smaller sizes for every run of fade: for a rehearsal on the emulated device
set -uo pipefail
here=$(cd "$(dirname "$0")/.." && pwd)
fail() { echo "gpu_check: $1" >&2; exit 1; }
usage="scripts/gpu_check.sh [BUNDLE] [--minutes N] [--rest-of RESULTS] [--plan] [--only STAGE...]"

bundle=$here minutes=15 rest_of='' done_before='' plan='' only=()
[ -f "$here/manifest" ] || bundle=$here/build/bundle
[ $# -eq 0 ] || [[ $1 == --* ]] || { bundle=$1; shift; }
while [ $# -gt 0 ]; do
  case $1 in
    --minutes) minutes=${2:-}; shift; [[ $minutes =~ ^[0-9]+(\.[0-9]+)?$ ]] || fail "--minutes: found '$minutes', needs a number" ;;
    --rest-of) rest_of=${2:-}; shift; [ -f "$rest_of" ] || fail "--rest-of: found '$rest_of', needs the results of a check" ;;
    --plan) plan=1 ;;
    --only) shift; only=("$@"); break ;;
    *) fail "$1: unknown argument ($usage)" ;;
  esac
  shift
done
text=${FADE_GPU_TEXT:-}
[ -z "$text" ] || { [ -f "$text" ] && text=$(realpath "$text"); } || fail "FADE_GPU_TEXT=$text: there is no such file"

# The bundle is whole and of one commit, and this script is part of it.
made="(scripts/gpu_bundle.sh makes a bundle)"
[ -f "$bundle/manifest" ] || fail "$bundle: is no bundle, it has no manifest $made"
bundle=$(cd "$bundle" && pwd)
about() { sed -n "s/^# $1 //p" "$bundle/manifest"; }
changed=$(cd "$bundle" && LC_ALL=C sha256sum --quiet --check manifest 2>&1 | sed -n '
  s/^\(.*\): FAILED open or read$/\1 is missing/p; s/^\(.*\): FAILED$/\1 is not the file that was packed/p' | head -n 1)
[ -z "$changed" ] || fail "$bundle: $changed $made"
cmp -s "$0" "$bundle/scripts/gpu_check.sh" ||
  fail "$bundle: is of commit $(about commit), and $0 is not (run $bundle/scripts/gpu_check.sh, or make a bundle of this commit)"
command -v python3 >/dev/null || fail "python3 is not installed"
[ -z "$rest_of" ] || done_before=" $(python3 "$bundle/scripts/gpu_record.py" "$rest_of" --passed) " ||
  fail "$rest_of: is no result of a check"
# (resume and eval take what train wrote, in the same check)
[[ $done_before == *" resume eval "* ]] || done_before=${done_before/ train / }

# PyTorch, and cuBLAS and NCCL: of the CUDA toolkit, or of PyTorch's packages.
read -r torch libraries < <(python3 -c '
from importlib.util import find_spec
nvidia = find_spec("nvidia")
print("yes" if find_spec("torch") else "no", ":".join(f"{p}/{of}/lib" for p in nvidia.submodule_search_locations for of in ("cu13", "nccl")) if nvidia else "")')
export LD_LIBRARY_PATH=${LD_LIBRARY_PATH:+$LD_LIBRARY_PATH:}/usr/local/cuda/lib64${libraries:+:$libraries}
export FADE_ROOT=$bundle OMP_WAIT_POLICY=passive FADE_TEST_DEVICE=cuda
# shellcheck disable=SC2034  # gpu_stages.sh uses tests
fade=$bundle/fade tests=$bundle/tests/fade_tests
version=$("$fade" --version 2>&1) || fail "$fade does not run here: $(head -n 1 <<<"$version")"
built=$(sed -n 's/.*(commit \(.*\)).*/\1/p' <<<"$version")
[ -z "$built" ] || [[ $(about commit) == "$built"* ]] || fail "$fade: is of commit $built, the bundle of $(about commit) $made"

if [ -z "$plan" ]; then
  command -v nvidia-smi >/dev/null || fail "nvidia-smi is not installed: no NVIDIA driver (install it, or use another machine)"
  gpu=$(nvidia-smi --query-gpu=name --format=csv,noheader 2>/dev/null | head -n 1) && [ -n "$gpu" ] ||
    fail "nvidia-smi finds no GPU ($(nvidia-smi 2>&1 | head -n 1))"
  driver=$(nvidia-smi --query-gpu=driver_version --format=csv,noheader | head -n 1)
fi

# Each check has a file of its own: GPU-DATE.json, GPU-DATE-2.json, ...
mkdir -p "${FADE_RESULTS:-$here/bench/results}" && folder=$(cd "${FADE_RESULTS:-$here/bench/results}" && pwd) || exit 1
card=$(tr 'A-Z ' 'a-z-' <<<"${gpu:-}" | tr -cd 'a-z0-9-')-$(date +%F) number=1
name=$card
while [ -e "$folder/$name.json" ]; do number=$((number + 1)) name=$card-$number; done
results=$folder/$name.json logs=$folder/$name-logs
record() { python3 "$bundle/scripts/gpu_record.py" "$results" "$@"; }
cd "$bundle" || exit 1

wanted() {  # NAME: a stage of --only, and not one that passed in --rest-of?
  [[ $done_before != *" $1 "* ]] || return 1
  [ ${#only[@]} -gt 0 ] || return 0
  for prefix in "${only[@]}"; do [[ $1 != "$prefix"* ]] || return 0; done
  return 1
}
# stage NAME SECONDS COMMAND...
stage() {
  local name=$1 limit=$2 began=$SECONDS code=0
  shift 2
  wanted "$name" && [ -z "$stopped" ] || return 0
  [ -z "$plan" ] || { planned+=("$name $limit"); return 0; }
  [ $((deadline - SECONDS)) -ge "$limit" ] || limit=$((deadline - SECONDS))
  [ "$limit" -ge 5 ] || { left_out "$name" "no time left"; return 0; }
  timeout -k 5 "$limit" "$@" >"$logs/$name.log" 2>"$logs/$name.err" &
  child=$!
  wait $child || code=$?
  [ -z "$stopped" ] || { wait $child; code=$?; }  # (the signal ended the first wait)
  record --stage "$name" --code "$code" --limit "$limit" --seconds $((SECONDS - began)) --log "$logs/$name" \
    ${stopped:+--stopped "$stopped"} || failed=1
}
left_out() {  # NAME REASON
  [ -n "$stopped" ] || record --stage "$1" --left-out "$2"
}
has() {  # NAME TOOL: may stage NAME run? If it should, and cannot, that is recorded.
  wanted "$1" || return 1
  [ -n "$plan" ] || [[ $2 == PyTorch && $torch == yes ]] || command -v "$2" >/dev/null ||
    { left_out "$1" "$2 is not installed"; return 1; }
}
stop() { stopped="the check was stopped in it"; kill "$child" 2>/dev/null; }

sets=()
for set in ${FADE_GPU_SET:-}; do sets+=(--set "$set"); done
. scripts/gpu_stages.sh
stopped='' child='' failed=0 planned=()
only_plan=$plan plan=1
stages
plan=$only_plan
if [ -n "$plan" ]; then
  printf '%s\n' "${planned[@]}" | python3 scripts/gpu_record.py bench/results --plan
  exit
fi

mkdir -p "$logs"
if [ -z "$text" ]; then
  text=$logs/text
  find README.md docs engine ops nn models train cli tests \( -name '*.md' -o -name '*.cpp' -o -name '*.h' \) -print0 |
    sort -z | xargs -0 cat >"$text"
fi
record --start gpu="$gpu" driver="$driver" cuda="$(about cuda)" commit="$(about commit)" --stages "${planned[@]% *}" ||
  fail "$results cannot be written"
deadline=$((SECONDS + $(awk "BEGIN { print int(60 * $minutes) }")))
trap stop TERM INT HUP
stages
rm -rf "$logs"/*run/step-* # (checkpoints are large; metrics.jsonl stays)
record --table
echo "results: $results"
[ -z "$stopped" ] || failed=1
exit $failed
