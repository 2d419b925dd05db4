#!/bin/bash
# scripts/get_enwik8.sh without a network: a small stand-in for enwik8, and a copy of the script that expects it.
set -u
script=$PWD/scripts/get_enwik8.sh
. tests/shell/cli_support.sh

# expect STATUS WHAT TEXT COMMAND..: the command ends with STATUS and prints TEXT
expect() {
  status=$1 what=$2 text=$3
  shift 3
  "$@" >out 2>&1
  found=$?
  if [ $found -eq "$status" ] && grep -qF -- "$text" out; then
    echo "ok      $what"
  else
    failed "$what: status $found, expected $status and \"$text\""
  fi
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
expect 1 "a file with a wrong sum is refused" "neither enwik8.zip nor enwik8" sh "$script" --from real/enwik8 got/a
expect 1 "a zip with a wrong sum is refused" "(SHA-256 $(sum enwik8.zip), expected 5479" sh "$script" --from enwik8.zip got/a
holds "nothing is left of them" absent got/a got/a.part got/a.zip
holds "the refused files are still there" test -s real/enwik8 -a -s enwik8.zip

expect 0 "a local zip" "got/b: enwik8" sh get.sh --from enwik8.zip got/b
holds "is unpacked exactly" cmp got/b real/enwik8
holds "and kept" test -s enwik8.zip
expect 0 "a local unpacked file" "got/c: enwik8" sh get.sh --from real/enwik8 got/c
holds "is copied exactly" cmp got/c real/enwik8
expect 0 "the default destination" "data/enwik8: enwik8" sh get.sh --from enwik8.zip
holds "is data/enwik8" cmp data/enwik8 real/enwik8
expect 0 "a second run has nothing to do" "is enwik8 already" sh get.sh --from none data/enwik8
echo other >got/d
expect 2 "another file in the way is not overwritten" "is not enwik8 (remove it)" sh get.sh --from enwik8.zip got/d
holds "and still there" grep -q other got/d

head -c 1000 enwik8.zip >short.zip
expect 1 "a zip cut short is refused" "neither" sh get.sh --from short.zip got/e
holds "and leaves nothing" absent got/e got/e.part

if command -v curl >/dev/null; then
  expect 0 "a URL" "got/f: enwik8" sh get.sh --from "file://$dir/enwik8.zip" got/f
  holds "is downloaded exactly" cmp got/f real/enwik8
  holds "and leaves nothing else" absent got/f.zip got/f.part
  cp short.zip got/g.zip
  expect 0 "a broken download" "got/g: enwik8" sh get.sh --from "file://$dir/enwik8.zip" got/g
  holds "is continued exactly" cmp got/g real/enwik8
  cp enwik8.zip got/h.zip
  expect 0 "a complete download" "got/h: enwik8" sh get.sh --from "file://$dir/none.zip" got/h
  holds "is not fetched again" cmp got/h real/enwik8
  cp short.zip got/i.zip
  expect 1 "a download that breaks off" "is incomplete (run this again to resume it, or remove got/i.zip to start over)" \
    sh get.sh --from "file://$dir/none.zip" got/i
  holds "keeps what it has" cmp got/i.zip short.zip
  rm got/i.zip
  expect 1 "a URL that isn't there" "none.zip: cannot be downloaded (" sh get.sh --from "file://$dir/none.zip" got/i
  echo '<html>not found</html>' >page
  expect 1 "a mirror with something else" "neither" sh get.sh --from "file://$dir/page" got/j
  holds "and leaves nothing" absent got/i got/i.zip got/j got/j.zip got/j.part
else
  echo "skipped: downloads (curl is not installed)"
fi

# A host that does not answer: nothing listens at port 1.
mkdir only
for tool in sh cut head sed sha256sum dirname mkdir rm; do ln -s "$(command -v $tool)" only/; done
export no_proxy=127.0.0.1
for tool in curl wget; do
  command -v $tool >/dev/null || { echo "skipped: $tool is not installed"; continue; }
  ln -s "$(command -v $tool)" only/
  expect 1 "no host, with $tool" "http://127.0.0.1:1/enwik8.zip: cannot be downloaded (" \
    env PATH="$dir/only" sh get.sh --from http://127.0.0.1:1/enwik8.zip got/l
  holds "leaves nothing" absent got/l got/l.zip got/l.part
  rm only/$tool
done
# A signal during the download, from a program that stands in for curl.
for signal in INT:130 TERM:143; do
  printf '#!/bin/sh\necho downloading\nkill -%s $PPID\nexit 1\n' ${signal%:*} >only/curl
  chmod +x only/curl
  expect ${signal#*:} "SIG${signal%:*} during a download" "downloading" \
    env --default-signal=INT,TERM PATH="$dir/only" sh get.sh --from http://127.0.0.1:1/enwik8.zip got/m
  holds "leaves nothing" absent got/m got/m.zip got/m.part
done

expect 0 "--help" "usage: " sh get.sh --help
expect 2 "a missing file" "none: no such file" sh get.sh --from none got/k
expect 2 "an unknown option" "--fro: no such option" sh get.sh --fro enwik8.zip
expect 2 "--from without a value" "--from needs" sh get.sh --from
expect 2 "two destinations" "a second DEST, after a (give one)" sh get.sh a b
expect 2 "a directory as destination" "is a directory" sh get.sh --from enwik8.zip got
finish
