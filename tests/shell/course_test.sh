#!/bin/bash
# check_output.sh notices what is wrong with a quoted output. (ctest runs it for each program of the course.)
set -u
check=$PWD/tests/shell/check_output.sh
. tests/shell/cli_support.sh

printf '#!/bin/sh\nprintf "one\\n\\ntwo\\n"\n' >program
chmod +x program
mkdir pages

# page TEXT: the only page that quotes the program
page() { printf "$1" >pages/page.md; }
# verdict WHAT CODE [PROGRAM]
verdict() {
  bash "$check" "${3:-./program}" some.cpp pages >out 2>err
  [ $? -eq "$2" ] && echo "ok      $1" || failed "$1"
}

page '# A\n<!-- output: some.cpp -->\n```\none\n\ntwo\n```\ntext\n'
verdict "the output in one block" 0
page '<!-- output: some.cpp -->\n```text\none\n```\ntext\n```\nother\n```\n<!-- output: some.cpp -->\n```\ntwo\n```\n'
verdict "the output in two blocks" 0
page '<!-- output: some.cpp -->\n```\none\n```\n'
verdict "a line is missing" 1
page '<!-- output: some.cpp -->\n```\none\ntwo\nthree\n```\n'
verdict "a line is too much" 1
page '<!-- output: some.cpp -->\n```\none\ntwO\n```\n'
verdict "a line is different" 1
page '<!-- output: some.cpp -->\n\n```\none\ntwo\n```\n'
verdict "no block follows directly" 1
page '<!-- output: other.cpp -->\n```\none\ntwo\n```\n'
verdict "no page quotes the program" 1
page '<!-- output: some.cpp -->\n```\none\ntwo\n```\n'
printf '#!/bin/sh\nprintf "one\\ntwo\\n"\nexit 3\n' >failing
chmod +x failing
verdict "the program fails" 1 ./failing

finish
