#!/bin/bash
# Documents quote what a program prints: the fenced blocks that directly follow a line <!-- output: SOURCE -->. Those of one page,
# one after the other, are the whole output, where empty lines do not count. Ends with exit code 1 if a page quotes
# something else, if no page quotes the program, or if the program fails.
#   check_output.sh PROGRAM SOURCE [FOLDER]     program, its source from the root, where to look for pages (default: .)
set -u
program=$1 mark="<!-- output: $2 -->" folder=${3:-.}
printed=$(mktemp) && quoted=$(mktemp) || exit 1
trap 'rm -f "$printed" "$quoted"' EXIT

"$program" >"$printed" || { echo "$2: exit code $?"; exit 1; }
sed -i '/^$/d' "$printed"

wrong=0
mapfile -t pages < <(grep -rlF --include='*.md' --exclude-dir=build -- "$mark" "$folder")
for page in "${pages[@]}"; do
  # state 0: outside, 1: after the mark, 2: in its block
  awk -v mark="$mark" '
    state == 2 && /^```/ { state = 0; next }
    state == 2 && NF { print }
    state == 1 { if (/^```/) state = 2; else { print "no block follows the mark"; state = 0 } }
    $0 == mark { state = 1 }' "$page" >"$quoted"
  diff -u --label "$page" "$quoted" --label "$2 prints" "$printed" || wrong=1
done
[ ${#pages[@]} -gt 0 ] || { echo "no page has the line $mark"; wrong=1; }
exit $wrong
