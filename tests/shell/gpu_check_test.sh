#!/usr/bin/env bash
# scripts/gpu_check.sh where there is no GPU, and with programs that pretend to be one, its tools and fade.
set -u
check=$PWD/scripts/gpu_check.sh
. tests/shell/cli_support.sh

# program NAME: a program whose script is standard input
program() {
  { echo '#!/usr/bin/env bash'; cat; } >"$1"
  chmod +x "$1"
}

run() { PATH="$dir:$PATH" FADE_RESULTS=$dir/results "$check" "$dir/build" >out 2>err; }
fails() { ! run; }

program nvidia-smi <<'END'
echo 'No devices were found'
exit 6
END
holds "without a GPU it fails" fails
holds "and says why" test "$(cat err)" = "gpu_check: nvidia-smi finds no GPU (No devices were found)"

mkdir -p build/tests
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
holds "a measurement that fails is a failure" fails
holds "the tests were run" test -f tested
holds "compute-sanitizer was run with each tool" test "$(tr '\n' ' ' <tools)" = "memcheck racecheck initcheck "
holds "the results are written" python3 -c '
import glob, json

r = json.load(open(glob.glob("results/nvidia-test-9000-*.json")[0]))
assert (r["gpu"], r["driver"], r["tests"]) == ("NVIDIA Test 9000", "999.1", "passed")
assert r["compute_sanitizer"] == ["memcheck", "racecheck", "initcheck"] and r["commit"]
assert len(r["bench"]) == 6 and r["bench"][0]["ms"] == 1.5
assert "out of memory" in r["bench"][5]["error"] and "enwik8_12l.yaml --live 4096" in r["bench"][5]["arguments"]'

program build/tests/fade_tests <<'END'
exit 3
END
rm -r results
holds "a test that fails is a failure" fails
holds "and leaves no results" test ! -e results
finish
