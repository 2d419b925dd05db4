#!/bin/sh
# Tests scripts/get_enwik8.sh without a network: a small stand-in for enwik8, and a copy of the script that expects it.
set -eu

script=$(cd "$(dirname "$0")/../.." && pwd)/scripts/get_enwik8.sh
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"

failures=0
# expect STATUS WHAT TEXT COMMAND..: the command ends with STATUS and prints TEXT
expect() {
  status=$1 what=$2 text=$3
  shift 3
  found=0
  "$@" >output 2>&1 || found=$?
  if [ "$found" -eq "$status" ] && { [ -z "$text" ] || grep -qF -- "$text" output; }; then
    echo "ok      $what"
  else
    echo "FAILED  $what: status $found, expected $status and \"$text\", printed:"
    cat output
    failures=$((failures + 1))
  fi
}
# holds WHAT COMMAND..: the command succeeds
holds() {
  what=$1
  shift
  expect 0 "$what" '' "$@"
}

sum() { sha256sum <"$1" | cut -d ' ' -f 1; }
absent() { for file in "$@"; do [ ! -e "$file" ] || return 1; done; }

mkdir real
head -c 200000 /dev/urandom >real/enwik8
python3 -c 'import zipfile
zipfile.ZipFile("enwik8.zip", "w", zipfile.ZIP_DEFLATED).write("real/enwik8", "enwik8")'
sed -e "s/^zip_sha256=.*/zip_sha256=$(sum enwik8.zip)/" -e "s/^file_sha256=.*/file_sha256=$(sum real/enwik8)/" \
  "$script" >get.sh

# The real script knows the published sums, and takes nothing else.
holds "the zip's published sum" grep -q 547994d9980ebed1288380d652999f38a14fe291a6247c157c3d33d4932534bc "$script"
holds "the file's published sum" grep -q 2b49720ec4d78c3c9fabaee6e4179a5e997302b3a70029f30f2d582218c024a8 "$script"
expect 1 "a file with a wrong sum is refused" "neither enwik8.zip nor enwik8" sh "$script" --from real/enwik8 out/a
expect 1 "a zip with a wrong sum is refused" "its SHA-256 is $(sum enwik8.zip), not 5479" sh "$script" --from enwik8.zip out/a
holds "nothing is left of them" absent out/a out/a.part out/a.zip
holds "the refused files are still there" test -s real/enwik8 -a -s enwik8.zip

expect 0 "a local zip" "out/b: enwik8" sh get.sh --from enwik8.zip out/b
holds "is unpacked exactly" cmp out/b real/enwik8
holds "and kept" test -s enwik8.zip
expect 0 "a local unpacked file" "out/c: enwik8" sh get.sh --from real/enwik8 out/c
holds "is copied exactly" cmp out/c real/enwik8
expect 0 "the default destination" "data/enwik8: enwik8" sh get.sh --from enwik8.zip
holds "is data/enwik8" cmp data/enwik8 real/enwik8
expect 0 "a second run has nothing to do" "is there already" sh get.sh --from none data/enwik8
echo other >out/d
expect 2 "another file in the way is not overwritten" "something else" sh get.sh --from enwik8.zip out/d
holds "and still there" grep -q other out/d

head -c 1000 enwik8.zip >short.zip
expect 1 "a zip cut short is refused" "neither" sh get.sh --from short.zip out/e
holds "and leaves nothing" absent out/e out/e.part

if command -v curl >/dev/null; then
  expect 0 "a URL" "out/f: enwik8" sh get.sh --from "file://$dir/enwik8.zip" out/f
  holds "is downloaded exactly" cmp out/f real/enwik8
  holds "and leaves nothing else" absent out/f.zip out/f.part
  cp short.zip out/g.zip
  expect 0 "a broken download" "out/g: enwik8" sh get.sh --from "file://$dir/enwik8.zip" out/g
  holds "is continued exactly" cmp out/g real/enwik8
  cp enwik8.zip out/h.zip
  expect 0 "a complete download" "out/h: enwik8" sh get.sh --from "file://$dir/none.zip" out/h
  holds "is not fetched again" cmp out/h real/enwik8
  expect 1 "a URL that isn't there" "the download broke off" sh get.sh --from "file://$dir/none.zip" out/i
  echo '<html>not found</html>' >page
  expect 1 "a mirror with something else" "neither" sh get.sh --from "file://$dir/page" out/j
  holds "and leaves nothing" absent out/i out/j out/j.zip out/j.part
else
  echo "skipped: downloads (curl is not installed)"
fi

expect 0 "--help" "usage: " sh get.sh --help
expect 2 "a missing file" "none: no such file" sh get.sh --from none out/k
expect 2 "an unknown option" "--fro: no such option" sh get.sh --fro enwik8.zip
expect 2 "--from without a value" "--from needs" sh get.sh --from
expect 2 "two destinations" "one DEST is enough" sh get.sh a b
expect 2 "a directory as destination" "a directory" sh get.sh --from enwik8.zip out

[ "$failures" -eq 0 ] || { echo "$failures failed"; exit 1; }
