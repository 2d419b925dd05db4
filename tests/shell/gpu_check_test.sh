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

run() { PATH="$dir:$PATH" FADE_RESULTS=$dir/results "$check" "$dir/build" "$@" >out 2>err; }
fails() { ! run "$@"; }
# results CONDITION: of r, the results, and s, the stages by name
results() {
  python3 -c '
import glob, json, sys
r = json.load(open(glob.glob("results/nvidia-test-9000-*.json")[0]))
s = {stage["stage"]: stage for stage in r["stages"]}
assert eval(sys.argv[1]), s' "$1"
}

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
holds "without programs it fails" fails
holds "and says what makes them" grep -q 'scripts/gpu_bundle.sh makes them' err
program build/fade <<'END'
case $* in
  *"--live 4096"*) echo 'fade: out of memory' >&2; exit 1 ;;
  *"--live 512"*) sleep 100 ;;
  *) echo '{"ms":1.5,"tokens_per_s":10,"peak_bytes":7,"live":3}' ;;
esac
END
program build/tests/fade_tests <<'END'
case $* in *ops/planted*) echo 'file.cpp(3): error: in "planted": 1 is not 2'; exit 201 ;; *) echo '*** No errors detected' ;; esac
END
holds "without the rest of a bundle it fails, too" fails
holds "which it names" grep -q 'device_suites and about' err
: >build/device_suites
printf 'commit abc\ncuda 13.0\nsource %s\n' "$PWD" >build/about
program ncu <<'END'
printf '{"ms":1.5}\n"ID","Kernel Name","gpu__time_duration.sum"\n"","","ns"\n"0","gemm","50"\n"1","attend(int)","1,000,000"\n"2","attend(int)","500,000"\n"3","att'
END
program compute-sanitizer <<'END'
case $* in *racecheck*golden) echo '========= Error: Race reported between Write access'; exit 9 ;; esac
END

holds "no suites are no success" fails --only suites
holds "and this is said" grep -q 'there is no suite to run' out
printf 'cuda\nops/sound\n' >build/device_suites
holds "sound stages pass" run --only smoke suites profile-f32 bench-12l-f32-1024
holds "and every result is written" results 's["smoke"]["found"]["ms"] == 1.5 and s["suites"]["code"] == 0 and len(s) == 4'
holds "with the card and the build" results '(r["gpu"], r["driver"], r["cuda"], r["commit"]) == ("NVIDIA Test 9000", "999.1", "13.0", "abc")'
holds "kernels are summed, the slowest first" results 's["profile-f32"]["found"] == [["attend(int)", 2, 1.5], ["gemm", 1, 0.0]]'
holds "the results end with a table" grep -q '^| bench-12l-f32-1024 | [0-9]* | 1.5 ms, 10 tokens/s' out

echo ops/planted >>build/device_suites
holds "what fails is a failure" fails --only suites bench-12l sanitizers
holds "but takes nothing else with it" results 's["bench-12l-f32-1024"]["code"] == 0 and s["bench-12l-f32-4096"]["code"] == 1'
holds "the suite that failed is named" grep -q 'ops-planted: exit 201 file.cpp(3): error' out
holds "an error of fade's is shown" grep -q 'out of memory' out
holds "a race is named" grep -q 'racecheck-golden: exit 9 .*Race reported' out

holds "a stage that hangs is ended" fails --minutes 0.1 --only bench-small
holds "and what is left out is said" results \
  's["bench-small-f32-512"]["code"] == 124 and s["bench-small-f32-1024"]["left_out"] == "no time left"'
holds "a text that is not there is refused" eval '! FADE_GPU_TEXT=$dir/none run'
holds "by name, and not made" eval 'grep -q "gpu_check: FADE_GPU_TEXT=$dir/none: there is no such file" err && [ ! -e none ]'
rm ncu
hash -r
holds "of stages that are not wanted no tool is missed" run --only smoke
holds "and nothing is said" results 'list(s) == ["smoke"]'
holds "bad minutes are refused" fails --minutes x
holds "by name" grep -q "gpu_check: --minutes: found 'x', needs a number" err
finish
