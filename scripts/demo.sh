#!/usr/bin/env bash
# Installs what is missing, builds fade, trains a small model and shows what it learned. Five to eight minutes on two cores.
# With a network it trains on enwik8 (a download of 36 MB); without one, or with `scripts/demo.sh recall`, on the built-in
# recall corpus. `scripts/demo.sh enwik8` requires enwik8, and uses data/enwik8 if it exists.
set -euo pipefail
cd "$(dirname "$0")/.."
corpus=${1:-auto}
case $corpus in auto | recall | enwik8) ;; *) echo "usage: scripts/demo.sh [recall|enwik8]" >&2; exit 2 ;; esac

# fade train answers a signal with a checkpoint and exit code 0: the script has to end by itself.
trap 'exit 130' INT
trap 'exit 143' TERM

bold='' plain=''
if [ -t 1 ] && [ "${TERM:-dumb}" != dumb ]; then bold=$'\033[1m' plain=$'\033[0m'; fi
say() { printf '\n%s%s%s\n' "$bold" "$*" "$plain"; }

say "1. Install and build"
scripts/install_dependencies.sh --no-tests
scripts/configure.sh cpu -B build/demo -DFADE_TESTS=OFF -DFADE_BENCH=OFF
cmake --build build/demo
fade=build/demo/fade

if [ "$corpus" = auto ]; then
  corpus=recall
  if [ -f data/enwik8 ] || scripts/get_enwik8.sh; then corpus=enwik8; else echo "no enwik8: using the built-in recall corpus"; fi
elif [ "$corpus" = enwik8 ] && [ ! -f data/enwik8 ]; then
  scripts/get_enwik8.sh
fi

run=runs/demo-$corpus-$(date +%Y%m%d-%H%M%S)
if [ "$corpus" = recall ]; then
  say "2. Train: facts (@k=v;), and questions for them (?k) after a stretch of noise"
  "$fade" train configs/recall.yaml --out "$run" --set train.steps=10000
  say "3. A question, and its answer as the last byte (K was 7)"
  "$fade" generate "$run" --prompt '@K=7;ab@M=2;cdefghabdfcaegbcadbfe?K' --bytes 1 --temperature 0
  say "4. Generated text: each ?k should be followed by the value of @k=v;"
  "$fade" generate "$run" --bytes 300
else
  say "2. Train for two minutes on 100 million bytes of Wikipedia"
  "$fade" train data/enwik8 --minutes 2 --out "$run"
  say "3. Generated text"
  "$fade" generate "$run" --prompt 'The history of ' --bytes 400
fi
say "Done. The run is in $run: try  $fade info $run,  $fade eval $run,  $fade generate $run --prompt '...'"
