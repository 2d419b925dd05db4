#!/bin/bash
# A short run of examples/tiny_expire_span.cpp learns what to keep: spans of facts end above those of noise, and more questions are
# answered than by a guess (12.5 %). Instruction sets round differently, so the bounds are wide: with six seeds, this run
# ended with spans from 12 to 38 and from 3.4 to 5.6, and with 26 to 99 % of the answers.
#   check_tiny_expire_span.sh PROGRAM
set -u
"$1" 3000 | tee /dev/stderr | awk '
  { for (i = 1; i < NF; ++i) { if ($i == "facts") facts = $(i + 1) + 0
                               if ($i == "noise") noise = $(i + 1) + 0
                               if ($i == "answers") answers = $(i + 1) } }
  END { exit !(facts > 2 * noise && facts > 8 && answers > 20) }' || { echo "it has not learned what to keep"; exit 1; }
