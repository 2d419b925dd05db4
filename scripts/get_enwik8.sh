#!/bin/sh
# Downloads enwik8, the first 10^8 bytes of the English Wikipedia of March 2006.
set -eu

url=http://mattmahoney.net/dc/enwik8.zip
zip_sha256=547994d9980ebed1288380d652999f38a14fe291a6247c157c3d33d4932534bc
file_sha256=2b49720ec4d78c3c9fabaee6e4179a5e997302b3a70029f30f2d582218c024a8

usage() {
  cat <<END
usage: scripts/get_enwik8.sh [--from FILE_OR_URL] [DEST]

Downloads enwik8.zip (36,445,475 bytes), checks it, and unpacks it to DEST (data/enwik8 unless given).
Run it again to resume an interrupted download. DEST appears complete and checked, or not at all.

  --from URL    download enwik8.zip from a mirror
  --from FILE   use a local enwik8.zip, or enwik8 itself

Exit codes: 0 DEST is complete, 1 the work failed, 2 the call was wrong, 130 and 143 ended by Ctrl-C and SIGTERM.
END
}

fail() {
  echo "get_enwik8: $*" >&2
  exit 1
}

bad_call() {
  echo "get_enwik8: $* (see --help)" >&2
  exit 2
}

have() { command -v "$1" >/dev/null 2>&1; }

sha256() { $hasher <"$1" | cut -d ' ' -f 1; }

# download URL FILE: resumes if FILE is incomplete
download() {
  if have curl; then
    curl --fail --location --connect-timeout 15 --retry 2 --continue-at - --output "$2" "$1"
  elif have wget; then
    wget --timeout=15 --tries=3 --continue --output-document "$2" "$1"
  else
    fail "neither curl nor wget is installed (install one, or use a local file with --from)"
  fi
}

# unpack ZIP FILE: the only member of the archive, enwik8
unpack() {
  if have unzip; then
    unzip -p "$1" enwik8 >"$2"
  elif have python3; then
    python3 -c 'import shutil, sys, zipfile
with zipfile.ZipFile(sys.argv[1]).open("enwik8") as member, open(sys.argv[2], "wb") as out:
    shutil.copyfileobj(member, out)' "$1" "$2"
  elif have bsdtar; then
    bsdtar -xOf "$1" enwik8 >"$2"
  else
    fail "none of unzip, python3 and bsdtar is installed to unpack $1"
  fi
}

if have sha256sum; then hasher=sha256sum; elif have shasum; then hasher='shasum -a 256'; else
  fail "neither sha256sum nor shasum is installed: enwik8 cannot be checked (install one)"
fi

from=$url
dest=
while [ $# -gt 0 ]; do
  case $1 in
    --help | -h) usage; exit 0 ;;
    --from)
      [ $# -ge 2 ] || bad_call "--from needs a file or a URL"
      from=$2
      shift
      ;;
    -*) bad_call "$1: no such option" ;;
    *)
      [ -z "$dest" ] || bad_call "$1: a second DEST, after $dest (give one)"
      dest=$1
      ;;
  esac
  shift
done
dest=${dest:-data/enwik8}
[ ! -d "$dest" ] || bad_call "$dest: is a directory (give a file name)"

if [ -e "$dest" ]; then
  [ "$(sha256 "$dest")" = $file_sha256 ] || bad_call "$dest: is not enwik8 (remove it)"
  echo "$dest: is enwik8 already"
  exit 0
fi

mkdir -p "$(dirname "$dest")"
part=$dest.part # unpacked here, renamed once it has been checked
trap 'rm -f "$part"' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

case $from in
  *://*)
    source=$dest.zip
    if [ ! -e "$source" ] || [ "$(sha256 "$source")" != $zip_sha256 ]; then
      if ! download "$from" "$source"; then
        if [ -s "$source" ]; then
          fail "$from: the download is incomplete (run this again to resume it, or remove $source to start over)"
        fi
        rm -f "$source" # wget leaves an empty file
        fail "$from: cannot be downloaded (try again when it can be reached, or give another copy with --from)"
      fi
    fi
    ;;
  *)
    [ -f "$from" ] || bad_call "$from: no such file"
    source=$from
    ;;
esac

# refuse HASH EXPECTED: removes a complete but wrong download, which the next run would try to resume
refuse() {
  [ "$source" = "$from" ] || rm -f "$source"
  fail "$from: neither enwik8.zip nor enwik8 (SHA-256 $1, expected $2)"
}

if [ "$(head -c 2 "$source")" = PK ]; then
  found=$(sha256 "$source")
  [ "$found" = $zip_sha256 ] || refuse "$found" $zip_sha256
  unpack "$source" "$part" || fail "$source: cannot be unpacked to $part"
else
  cp "$source" "$part"
fi
found=$(sha256 "$part")
[ "$found" = $file_sha256 ] || refuse "$found" $file_sha256
mv "$part" "$dest"
[ "$source" = "$from" ] || rm -f "$source"
echo "$dest: enwik8, complete and checked"
