#!/usr/bin/env bash
# The cost of a training step against the rows in memory: with max_span doubling at a constant number of live
# rows (the cost should not change), and with the live rows falling from 576 to 12 % of that (the cost should
# fall with them).
#   bench/sweep.sh [FADE] [CONFIG]
set -euo pipefail
cd "$(dirname "$0")/.."
fade=${1:-build/fade} config=${2:-configs/bench_cpu.yaml}

echo "max_span doubles, 192 live rows:"
for span in 512 1024 2048 4096 8192 16384; do
  printf '  max_span %6d  ' "$span"
  "$fade" bench "$config" --live 192 --set "model.max_span=$span"
done
echo "live rows of a context of 576:"
for percent in 100 80 60 40 20 12; do
  printf '  %3d %%  ' "$percent"
  "$fade" bench "$config" --live $((576 * percent / 100))
done
