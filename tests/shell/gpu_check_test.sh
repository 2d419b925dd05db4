#!/usr/bin/env bash
# scripts/gpu_check.sh where there is no GPU, and with programs that pretend to be one, its tools and fade.
set -uo pipefail

check=$PWD/scripts/gpu_check.sh
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
failures=0
complain() { echo "FAILED: $1"; failures=$((failures + 1)); }

program() {  # NAME, its script on standard input
  { echo '#!/usr/bin/env bash'; cat; } >"$dir/$1"
  chmod +x "$dir/$1"
}

run() { PATH="$dir:$PATH" FADE_RESULTS=$dir/results "$check" "$dir/build" >"$dir/out" 2>"$dir/err"; }

program nvidia-smi <<'END'
echo 'No devices were found'
exit 6
END
run && complain "no GPU: it did not fail"
[ "$(cat "$dir/err")" = "gpu_check: nvidia-smi finds no GPU (No devices were found)" ] || complain "no GPU: $(cat "$dir/err")"

mkdir -p "$dir/build/tests"
program nvidia-smi <<'END'
case $1 in *=name) echo 'NVIDIA Test 9000' ;; *) echo 999.1 ;; esac
END
program compute-sanitizer <<END
echo "\$2" >>"$dir/tools"
END
program build/tests/fade_tests <<END
touch "$dir/tested"
END
program build/fade <<'END'
case $* in
  *"--live 4096"*) echo 'fade: out of memory' >&2; exit 1 ;;
  *) echo '{"ms":1.5,"tokens_per_s":10,"peak_bytes":7,"live":3}' ;;
esac
END
run && complain "a measurement failed, and it ended well"
[ -f "$dir/tested" ] || complain "the tests were not run"
[ "$(tr '\n' ' ' <"$dir/tools")" = "memcheck racecheck initcheck " ] || complain "compute-sanitizer: $(cat "$dir/tools")"
python3 - "$dir"/results/nvidia-test-9000-*.json <<'END' || complain "the results: $(cat "$dir"/results/*)"
import json, sys

r = json.load(open(sys.argv[1]))
assert (r["gpu"], r["driver"], r["tests"]) == ("NVIDIA Test 9000", "999.1", "passed")
assert r["compute_sanitizer"] == ["memcheck", "racecheck", "initcheck"] and r["commit"]
assert len(r["bench"]) == 6 and r["bench"][0]["ms"] == 1.5
assert "out of memory" in r["bench"][5]["error"] and "enwik8_12l.yaml --live 4096" in r["bench"][5]["arguments"]
END

program build/tests/fade_tests <<'END'
exit 3
END
rm -r "$dir/results"
run && complain "the tests failed, and it ended well"
[ -e "$dir/results" ] && complain "the tests failed, and results were written"

[ "$failures" = 0 ]
