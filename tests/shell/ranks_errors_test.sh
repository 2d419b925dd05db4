#!/bin/bash
# Ranks that cannot train together: one error, in one line, before anything is written. Needs $FADE, the program, with MPI.
set -u
. tests/shell/cli_support.sh
. "$tests/shell/ranks_support.sh"
ranks_run_files
host=$(hostname)

# refused WHAT ERROR ARGUMENTS_OF_MPIRUN..: exit code 2; the whole of standard error is the error, a regular expression
refused() {
  what=$1 error=$2
  shift 2
  "${mpi[@]}" --quiet "$@" >out 2>err # without what mpirun says about exit codes
  holds "$what: exit code 2" test $? -eq 2
  holds "one line" test "$(wc -l <err)" -eq 1
  holds "with the error" grep -qE "^fade: $error" err
  holds "and nothing is written" test ! -e run -a ! -e runs -a ! -s out
}
train=("$fade" train c.yaml --out run)

refused "3 ranks for 8 streams" \
  "train.batch: 8 streams cannot be divided evenly between 3 ranks .start 2 of them, or set train.batch to 9.$" -np 3 "${train[@]}"
refused "more ranks than streams" \
  "train.batch: 2 streams cannot be divided evenly between 4 ranks .start 2 of them, or set train.batch to 4.$" \
  -np 4 "${train[@]}" --set train.batch=2
refused "unequal configurations" "seed: 1 on rank 0 on $host, 2 on rank 2 on $host .give all ranks the same configuration.$" \
  -np 2 "${train[@]}" : -np 1 "${train[@]}" --set seed=2
refused "no corpus on one rank" "rank 1 on $host: gone: no such file" \
  -np 1 "${train[@]}" : -np 1 "${train[@]}" --set data.path=gone
sed 's/^50 bottles/51 bottles/' text >other
refused "another corpus on one rank" "text: [0-9]+ bytes with hash [0-9a-f]+ on rank 0 .* on rank 1 .*the same text" \
  -np 1 "${train[@]}" : -np 1 "${train[@]}" --set data.path=other
cp "$fade" build
echo >>build
refused "another build on one rank" "the program: hash [0-9a-f]+ on rank 0 .* on rank 1 .*the same build" \
  -np 1 "${train[@]}" : -np 1 ./build train c.yaml --out run
sed 's/hidden: 16/hidden: sixteen/' c.yaml >broken.yaml
refused "a configuration with a mistake" "broken.yaml:2: model.hidden: found sixteen" -np 2 "$fade" train broken.yaml --out run
refused "a configuration that one rank lacks" "rank 1 on $host: gone.yaml: no such file" \
  -np 1 "${train[@]}" : -np 1 "$fade" train gone.yaml --out run
refused "a configuration that is typed" "CONFIG: -: of several ranks only the first has standard input .give a file.$" \
  -np 2 "$fade" train - --out run <c.yaml
refused "a text that is typed" "data.path: -: of several ranks only the first has standard input .give a file.$" \
  -np 2 "${train[@]}" --set data.path=- <text

# A run that is there stays.
works "a run" train c.yaml --out there --set train.steps=2
cp -r there before
refused "a run that is there" "there: already holds a run" -np 2 "$fade" train c.yaml --out there
holds "and stays as it was" diff -r before there
finish
