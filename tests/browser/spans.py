"""The page of `fade spans`: its controls do what they say, on a large and a small screen, in light and dark.

spans.py PAGE NUMBERS: the page, and the numbers of --json for the same text.
"""

import base64
import json
import re
import sys

from browser import Page, check, finish
from selenium.webdriver.common.keys import Keys

page_file, numbers = sys.argv[1], json.load(open(sys.argv[2]))
text, layers = base64.b64decode(numbers["text"]), numbers["layers"]
size = len(text)
by_row = numbers["spans"] == "rows"
ready = "state.ready"


def close(found, expected):
    """In f32."""
    return len(found) == len(expected) and all(
        abs(a - b) <= 1e-5 * max(1, abs(b)) for a, b in zip(found, expected))


def pixels(page):
    """The picture of the text."""
    return page.js("return canvas.toDataURL()")


def data_checks(page):
    check("the text is that of the numbers", bytes(page.js("return Array.from(bytes)")) == text)
    for layer in range(layers):
        found = page.js(f"return Array.from(spanOf[{layer}])")
        check(f"spans of layer {layer}", close(found, numbers["span"][layer]))
        check(f"rows of layer {layer}", page.js(f"return Array.from(rowsOf[{layer}])") == numbers["rows"][layer])
    check("losses", close(page.js("return Array.from(loss.subarray(1))"), numbers["loss_bits"][1:]))
    for k, cut in enumerate(numbers["memory_cut"]):
        check(f"losses with {cut['rows']} rows",
              close(page.js(f"return Array.from(cuts[{k}].loss.subarray(1))"), cut["loss_bits"][1:]))


def mask_checks(page):
    """The rows that the page shows as seen are as many as the model saw."""
    for layer in range(layers):
        counted = page.js(f"""return Array.from({{length: size}}, (_, t) => {{
            const rows = countRows({layer}, t);
            return rows.whole + rows.part; }})""")
        if numbers["kind"] == "compressive":
            counted = [page.js(f"""let n = 0; const slots = new Set();
                for (let j = 0; j < {t}; ++j) {{ const m = mask({layer}, j, {t});
                  if (m === 1) ++n; else if (m > 0) slots.add(Math.floor(j / model.slots.rate)); }}
                return n + slots.size""") for t in range(0, size, 7)]
            check(f"rows and slots seen in layer {layer}", max(counted) == max(numbers["rows"][layer]), counted)
        else:
            check(f"rows seen in layer {layer}", counted == numbers["rows"][layer])
    sums = page.js("""return Array.from({length: size}, (_, t) =>
        attention(0, t).reduce((sum, row) => sum + row.weight, 0))""")
    check("attention of the first byte is nothing", sums[0] == 0)
    check("no query gives more attention than there is", all(s < 1.02 for s in sums))
    # Slots hold several rows; a single row is one that the mask lets through.
    check("attention goes to rows that are seen", page.js("""
        for (let l = 0; l < layers; ++l) for (let t = 0; t < size; ++t) for (const r of attention(l, t))
          if (r.end - r.begin === 1 && !(mask(l, r.begin, t) > 0)) return false;
        return true"""))


def control_checks(page):
    before = pixels(page)
    page.set("#layer", str(layers - 1))
    check("the layer is chosen", page.js("return state.layer") == layers - 1)
    check("and named in the legend", f"layer {layers - 1}" in page.text("#legend"), page.text("#legend"))
    if by_row and layers > 1:
        check("other spans, other colours", pixels(page) != before)
    page.set("#layer", "mean")
    check("back to the mean", pixels(page) == before)

    page.click("[data-view=memory]")
    middle = size // 2
    page.set("#time", str(middle))
    check("time moves the cursor", page.js("return state.cursor") == middle)
    check("and says where", f"{middle:,} of {size:,}" in page.text("#where"), page.text("#where"))
    check("and beside the text", f"byte {middle:,}" in page.text("#inspector h2"), page.text("#inspector h2"))
    page.set("#layer", "0")
    check("the legend counts what is forgotten", page.js("""
        const rows = countRows(0, state.cursor);
        return byId("legend").textContent.includes(`${count(rows.gone)} forgotten`)"""), page.text("#legend"))
    for view, other in ("attention", "memory"), ("loss", "attention"), ("span", "loss"):
        page.click(f"[data-view={other}]")
        picture = pixels(page)
        page.click(f"[data-view={view}]")
        check(f"{view} has a picture of its own", pixels(page) != picture or (view == "span" and not by_row))
    if numbers["memory_cut"]:
        page.set("#cut", str(len(numbers["memory_cut"]) - 1))
        check("a cut is shown", f"the {numbers['memory_cut'][-1]['rows']} nearest rows" in page.text("#legend"),
              page.text("#legend"))
    rows = page.js("return document.getElementsByTagName('*').length")
    check("elements do not grow with the text", rows < 1500, rows)


def keyboard_checks(page):
    page.js("setLayer('mean'); setView('span'); setCursor(0); view.focus()")
    start = page.js("return charStart[1]")
    page.press(Keys.ARROW_RIGHT)
    check("an arrow moves by a character", page.js("return state.cursor") == start)
    page.press(Keys.ARROW_LEFT, Keys.END)
    end = page.js("return state.cursor")
    check("End goes to the end of the line", end == page.js("return charStart[lineEnd(0) - 1]"), end)
    page.press(Keys.HOME, Keys.ARROW_DOWN)
    check("an arrow moves by a line", page.js("return lineOf(charOfByte[state.cursor])") == 1)
    check("and says what is there", "byte" in page.js("return byId('status').textContent"))
    page.press("]", "]")
    check("] goes to the next layer", page.js("return state.layer") == 0)
    page.press("[", "[", "2")
    check("[ goes back, 2 shows memory", page.js("return [state.layer, state.view].join()") == "mean,memory")
    page.press("?")
    check("? shows the keys", page.find("#help").is_displayed())
    page.press(Keys.ESCAPE)
    check("Escape hides them", not page.find("#help").is_displayed())
    page.press(" ")
    page.wait("state.cursor > 0 && playing !== null")
    page.press(" ")
    check("Space plays and stops", page.js("return playing") is None)
    page.press("/")
    page.press("wall", Keys.ENTER)
    found = page.js("return state.cursor")
    check("/ finds text", text[found:found + 4].lower() == b"wall", found)
    page.press(Keys.ENTER)
    check("Enter finds the next", page.js("return state.cursor") == text.find(b"wall", found + 1))
    page.press(Keys.ESCAPE)


def pointer_checks(page):
    page.js("setCursor(0); setView('memory')")
    page.js("""byId("text").scrollIntoView({block: "center"})""")
    page.hover("#canvas")
    hovered = page.js("return state.hover")
    check("the pointer shows the byte under it", hovered is not None and
          f"byte {hovered:,}" in page.text("#inspector h2"), hovered)
    check("what is in memory stays as the cursor finds it", "byte 0 finds" in page.text("#legend"),
          page.text("#legend"))
    page.click("#canvas")
    check("a click moves the cursor there", page.js("return state.cursor") == hovered)
    if by_row:
        page.js("setCursor(0)")
        page.click("#lists li button")
        check("a word in the lists goes to its place", page.js("return state.cursor") > 0)


def ramp_checks(page):
    """The shape of the ramp is the program's: nothing of the page knows it."""
    check("the ramp of this program", page.js("return [-1, -0.25, 0, 1].map(r => ramp(r * model.ramp))") == [0, 0.75, 1, 1])
    check("the ramp of another one", abs(page.js("""const kept = model.ramp_values;
        model.ramp_values = kept.map(x => x * x);
        const m = ramp(-model.ramp / 2);
        model.ramp_values = kept;
        return m""") - 0.25) < 1e-9)


def word_checks(page):
    """A word is found where it stands alone, and not in other words; everything else is found anywhere."""
    for whole, pattern in (True, rb"(?<![0-9A-Za-z])1(?![0-9A-Za-z])"), (False, b"1"):
        places = [m.start() for m in re.finditer(pattern, text)]
        page.js("setCursor(0)")
        found = [page.js(f"goTo([49], {{whole: {str(whole).lower()}}}); return state.cursor") for _ in places]
        check(f"places of a {'word' if whole else 'byte'}", sorted(found) == places, found)


def print_times(page):
    """How long controls take, drawing included: told, not checked, because machines differ."""
    for call in "setLayer(0)", "setLayer('mean')", "setView('memory')", "setCursor(size >> 1)", "setView('attention')":
        ms = page.js(f"const start = performance.now(); {call}; return performance.now() - start")
        print(f"time    {call}: {ms:.1f} ms")


with Page(page_file, ready=ready) as page:
    print_times(page)
    data_checks(page)
    mask_checks(page)
    control_checks(page)
    keyboard_checks(page)
    pointer_checks(page)
    word_checks(page)
    ramp_checks(page)
    light = pixels(page)
    page.print_pages()
    check("after printing, the picture is as before", pixels(page) == light)
    printed = page.js("return byId('print-text').textContent")
    check("on paper, the text is text", "bottles" in printed and "↵" in printed, printed[:80])
with Page(page_file, width=400, height=800, dark=True, ready=ready) as page:
    control_checks(page)
    page.js("""byId("text").scrollIntoView({block: "center"})""")
    page.click("#canvas")
    check("a tap moves the cursor", page.js("return state.cursor") > 0)
    page.print_pages()
    check("printed letters are black or on a light colour", page.js("""
        return Array.from(byId("print-text").children).some(e => e.style.color === "rgb(17, 17, 17)")"""))
    check("dark paper", page.js("return colours.paper") == "#15171a")
finish()
