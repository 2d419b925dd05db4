#!/bin/bash
# The reference: every public name has a comment, and every comment is understood (cmake/reference.cmake). Names without one,
# and a comment that Doxygen does not understand, are found.
set -u
root=$PWD
. tests/shell/cli_support.sh
[[ $root$dir != *" "* ]] || { echo "doxygen finds no pages in a folder with a space in its name: the reference is not checked"; exit 77; }
case $(doxygen --version 2>/dev/null) in 1.9.4*) ;; *) echo "doxygen 1.9.4 is not installed: the reference is not checked"; exit 77 ;; esac

# reference FOLDER: of the tree in that folder; 0 if it has no fault
reference() { cmake -D OUT="$dir/made" -P "$1/cmake/reference.cmake" >out 2>err; }

reference "$root" && echo "ok      the reference" || failed "the reference"
holds "a page for each header" test -s made/html/tape_8h.html
holds "pages" grep -q "The tape of a training step" made/html/md_docs_trace.html
holds "marks of a page are understood" test -z "$(grep -l '&lt;tt&gt;\|^@section' made/html/*.html)"
nowhere=$(grep -ho 'href="[^"#:]*"' made/html/*.html | cut -d '"' -f 2 | sort -u | while read -r to; do [ -e "made/html/$to" ] || echo "$to"; done)
holds "every link leads somewhere${nowhere:+: not $nowhere}" test -z "$nowhere"

mkdir tree
(cd "$root" && tar -cf - README.md cmake docs bench/results engine ops nn models train cli/README.md tests/README.md) | tar -xf - -C tree
cat >>tree/engine/error.h <<'CPP'
namespace fade {
void planted_function();
/// Documented.
struct Planted {
  int planted_member;
};
/// Documented.
enum class PlantedEnum { planted_value };
/// \planted_command
void documented();
}  // namespace fade
CPP
! reference tree && echo "ok      planted faults" || failed "planted faults: none was found"
for name in "planted_function() " "planted_member " "planted_value " "'\\planted_command'"; do
  holds "$name is named" grep -qF "$name" err
done
finish
