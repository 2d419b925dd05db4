#!/usr/bin/env bash
# Runs a program of a bundle (scripts/gpu_bundle.sh) in a root that has nothing but the bundle, glibc, libstdc++ and, for one
# with device cuda, cuBLAS and NCCL. Exit status: that of the program, or 77 where no other root is allowed.
#   scripts/bare_root.sh BUNDLE PROGRAM [ARGUMENTS...]     PROGRAM as it is there: /bundle/fade, /bundle/tests/fade_tests
set -euo pipefail
[ $# -ge 2 ] && [ -f "$1/manifest" ] || { echo "bare_root: ${1:-no folder} is no bundle (scripts/gpu_bundle.sh makes them)" >&2; exit 1; }
bundle=$1
shift

chroot=(chroot)
[ "$(id -u)" -eq 0 ] || chroot=(unshare --map-root-user chroot)
"${chroot[@]}" / /bin/true 2>/dev/null || { echo "skipped: ${chroot[*]} is not allowed here" >&2; exit 77; }

root=$(mktemp -d)
trap 'rm -rf "$root"' EXIT
mkdir "$root/tmp"
cp -r "$bundle" "$root/bundle"
folders=
elsewhere=" $(sed -n 's/^# elsewhere //p' "$bundle/manifest") "
while read -r file; do # (hard links where the disk is the same: cuBLAS and NCCL have most of a GB)
  [[ $elsewhere == *" $(basename "$file") "* || $(basename "$file") == ld-linux* ]] || continue
  cp -lL --parents "$file" "$root" 2>/dev/null || cp -L --parents "$file" "$root"
  folders+=${folders:+:}$(dirname "$file")
done < <(ldd "$bundle/fade" "$bundle/tests/fade_tests" | sed -n 's/^\s*\([^ ]* => \)\?\(\/[^ ]*\) (.*/\2/p' | sort -u)

code=0
# (Without /proc, the loader takes $ORIGIN of a program's RUNPATH from LD_ORIGIN_PATH.)
env -i LD_ORIGIN_PATH="$(dirname "$1")" LD_LIBRARY_PATH="$folders" FADE_ROOT=/bundle PATH="$PATH" \
  "${chroot[@]}" "$root" "$@" || code=$?
exit $code
