#!/usr/bin/env bash
# scripts/compiled_code.py, with a cuobjdump that pretends: it shows one kernel, of one source.
set -u
root=$PWD
. tests/shell/cli_support.sh

program() {  # NAME: a program whose script is standard input
  { echo '#!/usr/bin/env bash'; cat; } >"$1"
  chmod +x "$1"
}
mkdir -p bin build/CMakeFiles/3.25.1
compiler=build/CMakeFiles/3.25.1/CMakeCUDACompiler.cmake
kernel=_ZN4fade12_GLOBAL__N_14evenIfEEvPT_
program bin/nvdisasm </dev/null
program bin/cuobjdump <<END
case \$* in *optimizer_cuda*) ;; *) exit ;; esac
[ "\$1" = -res-usage ] && printf 'arch = sm_90\n Function $kernel:\n  REG:40 STACK:8 SHARED:0\n' && exit
printf '\t\tFunction : $kernel\n'
printf '        /*%04x*/   %s ;   /* 0x0 */\n' 0 'LDG.E.128 R4, [R2.64]' 16 '@!P0 STG.E.128 [R2.64], R4' \
  32 '@P0 STG.E [R2.64], R4' 48 'HMMA.1688.F32.TF32 R4, R4, R2, R4' 64 'EXIT'
END
header=source,kernel,registers,stack,instructions,'narrow stores,wide loads,wide stores,mma'
run() {  # ROWS...
  printf '%s\n' "$header" "$@" >limits.csv
  PATH="$dir/bin:$PATH" "$root/scripts/compiled_code.py" build --check limits.csv >out 2>err
}
passes() { run "$@" && grep -q ' 0 faults' out; }
finds() {  # TEXT ROWS...
  local text=$1
  shift
  ! run "$@" && grep -qF "$text" out
}
skips() { run '*,*,,,,,,,'; test $? = 77 && grep -q "$1" err; }
source=nn/optimizer_cuda.cu

! run '*,*,,,,,,,'
holds "no build: it says so" grep -q 'build is no build of preset cuda' err
echo 'set(CMAKE_CUDA_COMPILER_VERSION "12.4.1")' >$compiler
holds "another nvcc: nothing is compared" skips 'compiled by nvcc 12.4.1, the limits are of 13.0'
echo 'set(CMAKE_CUDA_COMPILER_VERSION "13.0.88")' >$compiler
! run '*,*,,,,,,,'
holds "a source that is not compiled is named" grep -q '^compiled_code: engine/.*\.cu is not compiled in build' err
for layer in engine ops nn; do
  (cd "$root" && find $layer -name '*.cu') | while read -r name; do
    mkdir -p "$(dirname build/CMakeFiles/fade_${layer}_objects.dir/$name)"
    : >"build/CMakeFiles/fade_${layer}_objects.dir/$name.o"
  done
done

holds "within its limits, a kernel passes" passes "$source,even<float>,40,8,5,1,1,1,1"
holds "registers" finds "$source: even<float>: 40 registers of a thread, allowed: at most 39" "$source,even<float>,39,,,,,,"
holds "spills" finds '8 bytes of a thread'"'"'s stack (spilled registers), allowed: at most 0' '*,*,80,0,,,,,'
holds "instructions" finds '5 instructions, allowed: at most 4' "$source,even<*>,,,4,,,,"
holds "narrow stores" finds '1 global stores of less than 16 bytes, allowed: at most 0' "$source,*,,,,0,,,"
holds "wide loads" finds '1 global loads of 16 bytes, allowed: at least 2' "$source,*,,,,,2,,"
holds "wide stores" finds '1 global stores of 16 bytes, allowed: at least 2' "$source,*,,,,,,2,"
holds "products on tensor cores" finds '1 products on tensor cores, allowed: at least 9' "$source,*,,,,,,,9"
holds "a kernel without a row" finds "$source: even<float> has no row in limits.csv" "$source,odd*,,,,,,,"
holds "a row without a kernel" finds "limits.csv: row $source, odd* is of no kernel" "$source,odd*,,,,,,," '*,*,,,,,,,'
holds "instructions of all sources are not read" finds 'instructions needs the name of one source' '*,*,,,9,,,,'
holds "no code for compute capability 9.0: nothing is compared" eval 'sed -i s/sm_90/sm_80/ bin/cuobjdump; skips "no code for compute capability 9.0"'
holds "the rows of the table all have as many fields" \
  python3 -c 'import csv, sys; assert {len(r) for r in csv.reader(l for l in open(sys.argv[1]) if l[0] != "#")} == {9}' \
  "$root/tests/data/compiled_code.csv"
finish
