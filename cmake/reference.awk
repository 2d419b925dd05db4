# For doxygen, which reads headers and pages through this filter. Lines keep their numbers.
#   awk -v root=FOLDER -v from_html=PATH -v headers=' PATHS ' -f cmake/reference.awk FILE
# from_html: from the reference's pages to the root; headers: those that are in the reference.
#
# Headers: the comment at the top becomes the description of the file (it ends before `#pragma once`, whose line it takes).
# Lines of a comment that are indented, such as formulas, shapes, code and pictures, stay as they are. The name of a page
# becomes a link to it.
# Pages: links to files that are not in the reference lead to the repository, links to a place within a page to the page.
# The text of a link stands on one line.

BEGIN {
  folder = name = ARGV[1]
  if (index(folder, root "/") == 1) folder = substr(folder, length(root) + 2)
  sub(/[^\/]*$/, "", folder)
  sub(/.*\//, "", name)
  sub(/\/$/, "", from_html)
}

{ line[NR] = $0 }

END {
  if (name ~ /\.md$/) page()
  else header()
}

# An @ is no command.
function plain(text) {
  gsub(/@/, "\\@", text)
  return text
}

# a/b/../c → a/c
function normal(path,   parts, kept, n, m, i) {
  n = split(path, parts, "/")
  m = 0
  for (i = 1; i <= n; i++) {
    if (parts[i] == "..") m--
    else if (parts[i] != ".") kept[++m] = parts[i]
  }
  path = kept[1]
  for (i = 2; i <= m; i++) path = path "/" kept[i]
  return path
}

# The target of a link. Of a picture in the text its name, by which Doxygen finds it.
function leads_to(target, is_picture) {
  if (target ~ /^[a-z]+:/) return target
  sub(/#.*/, "", target)
  if (target == "") return name
  if (target ~ /\.md$/) return target
  if (is_picture) {
    sub(/.*\//, "", target)
    return target
  }
  target = normal(folder target)
  return index(headers, " " target " ") ? "\\ref " target : from_html "/" target
}

function with_links(text,   done, label, target) {
  done = ""
  while (match(text, /\]\([^) ]+\)/)) {
    label = substr(text, 1, RSTART - 1)
    target = substr(text, RSTART + 2, RLENGTH - 3)
    text = substr(text, RSTART + RLENGTH)
    done = done label "](" leads_to(target, label ~ /!\[[^[]*$/) ")"
  }
  return done text
}

function page(   i, fenced, text, rest) {
  for (i = 1; i <= NR; i++) {
    text = line[i]
    if (text ~ /^ *```/) fenced = !fenced
    if (!fenced && text ~ /\[[^]]*$/ && line[i + 1] ~ /^[^[]*\]\(/) {
      rest = line[i + 1]
      sub(/^ +/, "", rest)
      line[i + 1] = text " " rest
      text = ""
    }
    if (text ~ /^#/) gsub(/`/, "", text)
    if (!fenced && text !~ /^    |`/) text = plain(text)
    print fenced ? text : with_links(text)
  }
}

function header(   last, i, kept, text, indented, next_text) {
  for (last = 1; line[last] ~ /^\/\//; last++) {}
  for (i = last; i > 1; i--) line[i] = "/" line[i - 1]
  line[1] = "/// \\file"

  kept = 0  # the line is part of an indented passage
  for (i = 1; i <= NR; i++) {
    text = line[i]
    indented = text ~ /^ *\/\/\/   /
    sub(/\/\/\/   /, "/// " (kept ? " " : "\\code{.unparsed}"), text)
    kept = kept || indented
    if (kept) {
      for (next_text = i + 1; line[next_text] ~ /^ *\/\/\/ *$/; next_text++) {}
      if (line[next_text] !~ /^ *\/\/\/   /) {
        kept = 0
        text = text " \\endcode"
      }
    } else if (text ~ /\/\/\//) {
      text = plain(text)
      gsub(/[A-Za-z0-9_\/]+\.md/, "[&](&)", text)
    }
    print text
  }
}
