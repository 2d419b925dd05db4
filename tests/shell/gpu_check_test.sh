#!/usr/bin/env bash
# scripts/gpu_check.sh where there is no GPU: with a bundle of programs that pretend to be fade and its tests, and with an
# nvidia-smi, an ncu and a compute-sanitizer that fail as the real ones do.
set -u
root=$PWD
. tests/shell/cli_support.sh

# program NAME: a program whose script is standard input
program() {
  { echo '#!/usr/bin/env bash'; cat; } >"$1"
  chmod +x "$1"
}
pack() {  # the manifest of the bundle as it is
  (cd bundle && { echo '# commit 0123456789'; echo '# cuda 13.0'; find . -type f ! -name manifest -print0 | xargs -0 sha256sum; } >manifest)
}
# check ARGUMENTS..: a check whose results lie beside those of the checks before; run: without those
check() {
  PATH="$dir/bin:$PATH" PYTHONPATH=$dir/modules FADE_GPU_TEXT=$dir/text FADE_RESULTS=$dir/results \
    bundle/scripts/gpu_check.sh "$@" >out 2>err
}
run() { rm -rf results; check "$@"; }
fails() { ! run "$@"; }
refuses() { [ "$(wc -l <err)" -eq 1 ] && grep -q "^gpu_check: .*$1" err; }
# results CONDITION: of r, the last results, and s, the stages by name
results() {
  python3 -c '
import glob, json, os, re, sys
r = json.load(open(max(glob.glob("results/nvidia-test-9000-*.json"), key=os.path.getmtime)))
s = {stage["stage"]: stage for stage in r["stages"]}
assert eval("(" + sys.argv[1] + ")"), s' "$1"
}

mkdir -p bin modules bundle/{scripts,tests,bench,configs}
cp "$root"/scripts/gpu_{check,stages}.sh "$root"/scripts/gpu_{record,suites}.py bundle/scripts/
echo 'print("{\"copy_GB_per_s\": 3000}")' >bundle/bench/gpu_ceilings.py
echo >modules/torch.py
bottles 20 >text
printf 'cuda\nops/sound\n' >bundle/device_suites
program bundle/fade <<'END'
case $* in
  --version) echo 'fade 1.0 (commit 0123456789)' ;;
  *enwik8_12l*"--live 4096"*) echo 'fade: out of memory' >&2; exit 1 ;;
  *enwik8_small*"--live 1024"*) echo $$ >"$FADE_RESULTS/sleeper"; exec sleep 100 ;;
  train*)
    echo "checkpoint: ${!#}/step-200"; echo "resume with: $0 train --resume ${!#}"; echo "other: $PWD-2"
    echo 'File "/venv/lib/site-packages/torch/x.py", "/scratch/torchinductor_name/ab/y.py"' ;;
  *) echo '{"ms":1.5,"tokens_per_s":10,"peak_bytes":7,"live":3}' ;;
esac
END
program bundle/tests/fade_tests <<'END'
case $* in *ops/planted*) echo 'file.cpp(3): error: in "planted": 1 is not 2'; exit 201 ;; *) echo '*** No errors detected' ;; esac
END

holds "what is no bundle is refused" fails bundle
holds "and what makes one is named" refuses 'bundle: is no bundle.*scripts/gpu_bundle.sh makes'
pack
holds "a number that is none is refused" fails bundle --minutes x
holds "by name" refuses "--minutes: found 'x', needs a number"
program bin/nvidia-smi <<'END'
echo 'No devices were found'
exit 6
END
holds "without a GPU it fails" fails bundle
holds "and says why" refuses 'nvidia-smi finds no GPU (No devices were found)'
program bin/nvidia-smi <<'END'
case $1 in *=name) echo 'NVIDIA Test 9000' ;; *) echo 999.1 ;; esac
END

mv bundle/device_suites suites
holds "a bundle that lacks a file is refused" fails bundle
holds "and the file named" refuses '\./device_suites is missing'
echo cuda >bundle/device_suites
holds "as is one with another file" fails bundle
holds "by name" refuses '\./device_suites is not the file that was packed'
mv suites bundle/device_suites
sed -i 's/0123456789/aaaaaaaaaa/' bundle/manifest
holds "as is one whose program is of another commit" fails bundle
holds "with both commits" refuses 'bundle/fade: is of commit 0123456789, the bundle of aaaaaaaaaa'
pack
cp -r bundle other && echo '#' >>other/scripts/gpu_check.sh
holds "as is one of another commit than the script" eval '! other/scripts/gpu_check.sh bundle 2>err'
holds "by name" refuses 'bundle: is of commit 0123456789, and other/scripts/gpu_check.sh is not'

holds "a training passes" run bundle --only train
holds "and no path of the machine is written" results \
  '[re.sub("nvidia-.*-logs", "LOGS", line) for line in s["train"]["found"]] ==
   ["checkpoint: RESULTS/LOGS/run/step-200", "resume with: ./fade train --resume RESULTS/LOGS/run", "other: " + os.getcwd() + "/bundle-2",
    "File \"site-packages/torch/x.py\", \"torchinductor/ab/y.py\""]'

details='"ID","Kernel Name","Metric Name","Metric Unit","Metric Value","Rule Name"'
cat >details <<END
$details
"0","void unnamed>::attend<bf16>(int)","Duration","ns","1,000"
"0","void attend<bf16>(int)","Section","","3"
"0","void attend<bf16>(int)","","","","Latency"
END
program bin/ncu <<END
case \$* in *bf16*) cat $PWD/details ;; *) echo '$details'; echo '"0","attend","Other","%","1"' ;; esac
END
holds "details of kernels are kept" run bundle --only attention-bf16
holds "of each, those that say most" results 's["attention-bf16"]["found"] == {"attend<bf16>": {"Duration": "1,000 ns"}}'
holds "a profile without any is a failure" fails bundle --only attention-f32
holds "in words" results '"Duration" in s["attention-f32"]["error"][0] and s["attention-f32"]["code"] == 1'

program bin/ncu <<'END'
printf '{"ms":1.5}\n"ID","Kernel Name","gpu__time_duration.sum"\n"","","ns"\n"0","gemm","50"\n"1","attend(int)","1,000,000"\n"2","attend(int)","500,000"\n"3","att'
END
holds "sound stages pass" run bundle --only card suites bench-12l-f32-1024 profile-f32
holds "and every result is written" results \
  's["card"]["found"]["copy_GB_per_s"] == 3000 and s["suites"]["found"]["passed"] == ["cuda", "ops/sound"] and len(s) == 4'
holds "with the card and the build" results '(r["gpu"], r["driver"], r["cuda"], r["commit"]) == ("NVIDIA Test 9000", "999.1", "13.0", "0123456789")'
holds "kernels are summed, the slowest first" results 's["profile-f32"]["found"] == [["attend(int)", 2, 1.5], ["gemm", 1, 0.0]]'
holds "it ends with a table" grep -q '^| bench-12l-f32-1024 | [0-9]* | 1.5 ms, 10 tokens/s' out
holds "and a count" grep -q '^4 stages passed, 0 failed, 0 were left out' out
holds "a second check on the same day passes" check bundle --only card
holds "and has results of its own" eval '[ "$(ls results/*.json | wc -l)" = 2 ]'

echo ops/planted >>bundle/device_suites
pack
program bin/ncu <<'END'
echo '==ERROR== ERR_NVGPUCTRPERM - The user does not have permission to access NVIDIA GPU Performance Counters on the target device 0.'
exit 1
END
# A tool of compute-sanitizer reports an error, hangs, crashes, or refuses the machine, or the program under it fails.
program bin/compute-sanitizer <<'END'
case $* in
  *racecheck*golden*) echo '========= Error: Race reported between Write access'; echo '========= RACECHECK SUMMARY: 1 hazard displayed'; exit 9 ;;
  *racecheck*ops/softmax*) exec sleep 100 ;;
  *memcheck*ops/softmax*) echo '========= Error: Program hit cudaErrorInvalidValue (error 1) on CUDA API call'; echo '========= ERROR SUMMARY: 1 error'; exit 9 ;;
  *memcheck*ops/reduce*) kill -SEGV $$ ;;
  *memcheck*ops/layer_norm*) echo 'file.cpp(3): error: in "planted": 1 is not 2'; echo '========= ERROR SUMMARY: 0 errors'; exit 201 ;;
  *initcheck*) echo '========= Error: Device not supported. Please refer to the "Supported Devices" section'; exit 1 ;;
  *) echo '========= ERROR SUMMARY: 0 errors' ;;
esac
END
holds "what fails is a failure" fails bundle --only suites bench-12l-f32 profile-f32 sanitizer-memcheck sanitizer-initcheck
holds "but takes nothing else with it" results 's["bench-12l-f32-1024"]["code"] == 0 and s["bench-12l-f32-4096"]["code"] == 1'
holds "the suite that failed is named" grep -q '^suites .* 2 passed; ops/planted: exit 201 file.cpp(3): error' out
holds "an error of fade's is shown" grep -q 'out of memory' out
holds "a profiler without rights is left out, in its words" \
  grep -q '^profile-f32 *left out: ERR_NVGPUCTRPERM - The user does not have permission' out
holds "what a sanitizer reports is a failure" results '"cudaErrorInvalidValue" in s["sanitizer-memcheck"]["found"]["failed"]["ops/softmax"]'
holds "as are a crash and a test's failure under it" results '
  [s["sanitizer-memcheck"]["found"]["failed"][suite] for suite in ("ops/reduce", "ops/layer_norm")] ==
  ["exit -11", "exit 201 file.cpp(3): error: in \"planted\": 1 is not 2"]'
holds "a sanitizer that refuses the machine is left out, in its words" grep -q '^sanitizer-initcheck *left out: Device not supported' out
holds "the rest of a check" eval '! check bundle --rest-of results/*.json --only suites bench-12l-f32'
holds "is what did not pass" results 'list(s) == ["suites", "bench-12l-f32-4096"]'
rm bin/ncu
hash -r
holds "a tool that is not there" run bundle --only card profile-f32
holds "is left out" results 's["profile-f32"]["left_out"] == "ncu is not installed"'

holds "a race is a failure, and what hangs is ended" fails bundle --minutes 0.1 --only sanitizer-racecheck sanitizer-synccheck
holds "what was found before is kept" results '"Race reported" in s["sanitizer-racecheck"]["found"]["failed"]["golden/f32_is_close"]'
holds "and what did not end is named" grep -q '^sanitizer-racecheck .*; not ended: .*ops/softmax' out
holds "for the next stage there is no time" results 's["sanitizer-synccheck"]["left_out"] == "no time left"'

# The machine's time ends in the middle: with a signal that can be caught, and with one that cannot.
for signal in TERM KILL; do
  rm -rf results
  mkdir results
  PATH="$dir/bin:$PATH" PYTHONPATH=$dir/modules FADE_GPU_TEXT=$dir/text FADE_RESULTS=$dir/results \
    bundle/scripts/gpu_check.sh bundle --only card bench-small-f32 trace >out 2>err &
  check=$!
  comes test -s results/sleeper || fatal "the check does not reach its second stage"
  kill -$signal $check
  holds "SIG$signal ends a check" eval "! wait $check 2>/dev/null"
  kill "$(cat results/sleeper)" 2>/dev/null
  holds "and its results are whole" results \
    's["card"]["code"] == 0 and "was stopped" in s["bench-small-f32-1024"]["left_out"] and "not reached" in s["trace"]["left_out"]'
done
holds "a text that is not there is refused" eval '! FADE_GPU_TEXT=$dir/none bundle/scripts/gpu_check.sh --plan 2>err'
holds "by name" refuses "FADE_GPU_TEXT=$dir/none: there is no such file"
echo '{"stages": [{"stage": "train", "code": 0}, {"stage": "resume", "code": 1}, {"stage": "eval", "code": 0}]}' >before.json
FADE_RESULTS=$dir/results bundle/scripts/gpu_check.sh --rest-of before.json --plan --only train resume eval >out
holds "to resume a training, it is done again" eval '[ "$(grep -o "^| \(train\|resume\|eval\) " out | tr -d "|\n")" = " train  resume " ]'
FADE_RESULTS=$dir/results bundle/scripts/gpu_check.sh --plan >out
holds "a plan has every stage" grep -q '^| long-train | [0-9]* |' out
mkdir plans
echo '{"stages": [{"stage": "trace", "code": 0, "seconds": 7}, {"stage": "train", "code": 1, "seconds": 9}]}' >plans/before.json
printf 'trace 60\ntrain 60\n' | python3 bundle/scripts/gpu_record.py plans --plan >out
holds "with the time of those that passed before" [ "$(grep -cx -e '| trace | 60 | 7 |' -e '| train | 60 |  |' out)" = 2 ]
finish
