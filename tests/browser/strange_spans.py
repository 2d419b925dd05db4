"""Pages of `fade spans` for texts of one byte, and of bytes that are no text.

strange_spans.py LETTER STRANGE
"""

import sys

from browser import Page, check, finish

ready = "state.ready"
with Page(sys.argv[1], ready=ready) as page:
    check("one byte is shown", page.js("return [size, shown(0, 1)].join()") == "1,a")
    for view in "memory", "attention", "loss", "span":
        page.click(f"[data-view={view}]")
    check("and has no loss", "not predicted" in page.text("#inspector"))
with Page(sys.argv[2], width=400, height=800, ready=ready) as page:
    check("bytes that are no text are shown as signs", page.js("return shown(0, size)") ==
          "a·b\ufffdé··[31m</script><!--", page.js("return shown(0, size)"))
    page.js("setCursor(3)")
    check("with their value beside the text", "0xff" in page.text("#inspector"), page.text("#inspector"))
    page.js("setCursor(4)")
    check("and characters with their bytes", "c3 a9 in UTF-8" in page.text("#inspector"), page.text("#inspector"))
finish()
