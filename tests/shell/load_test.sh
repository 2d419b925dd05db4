#!/bin/bash
# A corpus of 10 GB: a run begins at once and takes no more memory than with a small one. Needs $FADE, the program.
set -u
. tests/shell/cli_support.sh
# AddressSanitizer, by itself, keeps freed memory: what is measured would be what a run has ever taken.
export ASAN_OPTIONS=${ASAN_OPTIONS:+$ASAN_OPTIONS:}quarantine_size_mb=0:thread_local_quarantine_size_kb=0

truncate -s 10G large && printf 'the last bytes' | dd of=large bs=1 seek=10737418000 conv=notrunc status=none ||
  { echo "skipped: no file of 10 GB can be made here (ulimit -f?)"; exit 77; }
head -c 1000000 /dev/zero >small
cat >c.yaml <<'YAML'
model: {layers: 2, hidden: 32, ff: 64, heads: 2, block: 16, max_span: 64, span: {ramp: 8}}
train: {batch: 8, steps: 100000000, eval_every: 20, eval_bytes: 5000, checkpoint_every: 30, log_every: 20,
        schedule: {warmup: 10}}
device: cpu
threads: 2
YAML
# trains CORPUS: 60 steps at least. Writes the peak of the process's own memory, over 50 samples at least, in kB, to
# ./CORPUS.kB.
trains() {
  "$fade" train c.yaml --set data.path="$1" --out "run-$1" >out 2>err &
  pid=$! most=0 samples=0
  until [ $samples -ge 50 ] && grep -q "^step 60/" err; do
    now=$(sed -n 's/^RssAnon:[^0-9]*\([0-9]*\) kB/\1/p' /proc/$pid/status 2>/dev/null)
    [ -n "$now" ] || break # it has ended
    [ "$now" -gt $most ] && most=$now
    samples=$((samples + 1))
    sleep 0.02
  done
  echo "$most" >"$1.kB"
  kill -INT $pid && wait $pid
}
holds "a small corpus trains" trains small
holds "10 GB train" trains large
holds "and take no more memory" awk 'NR == FNR { small = $1; next } { print small, $1; exit !($1 <= small * 1.1 + 1000) }' small.kB large.kB
finish
