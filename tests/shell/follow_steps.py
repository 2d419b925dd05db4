# Follows the steps of ops/README.md that add operations, in the copy of the repository where it is called:
#   <!-- step: FILE before "TEXT" -->   the block is inserted before the first line of ops/FILE that has TEXT
#   <!-- body: FILE -->                 it replaces what namespace fade holds in ops/l2_normalize/FILE
#   <!-- row -->                        it replaces the row of l2_normalize
import pathlib
import re
import textwrap

readme = pathlib.Path("ops/README.md")
page = readme.read_text()
blocks = re.findall(r"^ *<!-- (step|body|row)(?:: (.*?))? -->\n( *)```\w*\n(.*?)^ *```$", page, re.M | re.S)
assert len(blocks) == 12, len(blocks)

for kind, where, indent, code in blocks:
    code = textwrap.dedent(code)
    if kind == "step":
        name, text = re.fullmatch(r'(\S+) before "(.*)"', where).groups()
        file = pathlib.Path("ops") / name
        lines = file.read_text().splitlines(keepends=True)
        at = next((i for i, line in enumerate(lines) if text in line), None)
        assert at is not None, f"{file} has no line with {text}"
        margin = re.match(" *", lines[at]).group()
        gap = "\n" if code.startswith("struct") else ""
        lines.insert(at, textwrap.indent(code, margin) + gap)
        file.write_text("".join(lines))
    elif kind == "body":
        file = pathlib.Path("ops/l2_normalize") / where
        before, space, after = re.fullmatch(
            r"(.*^namespace (fade(?:::test)?) \{\n).*(\}  // namespace \2\n)", file.read_text(), re.M | re.S
        ).groups()
        file.write_text(before + "\n" + code + "\n" + after)
    else:
        text, count = re.subn(r"^\| `l2_normalize` .*\n", lambda _: code, readme.read_text(), flags=re.M)
        assert count == 1, count
        readme.write_text(text)

math = pathlib.Path("ops/elementwise/elementwise_math.h")
text, count = re.subn(r"(using UnaryFunctors =\s+Functors<)", r"\1Softsign, ", math.read_text())
assert count == 1, count
math.write_text(text)
header = pathlib.Path("ops/l2_normalize") / "l2_normalize.h"
header.write_text(re.sub("^// FILL IN.*", "// Rows scaled to length 1.", header.read_text()))
