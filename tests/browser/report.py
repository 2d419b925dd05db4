"""The page of fade report: curves, toggles, axes, zoom, cursor, keys, tables, in light and dark, on a phone, on paper.

    report.py PAGE ONE LIVE LONG [FOLDER for screenshots]
"""

import base64
import pathlib
import sys

from browser import ActionChains, Page, check, finish
from selenium.webdriver.common.keys import Keys

page, one, live, long = sys.argv[1:5]
shots = pathlib.Path(sys.argv[5]) if len(sys.argv) > 5 else None
READY = "document.body.dataset.ready"


def curves(p, chart=1):
    """The numbers of the runs whose training curves a chart shows."""
    return p.js("return [...document.querySelectorAll(arguments[0])].map(e => +e.dataset.run)",
                f".chart:nth-child({chart}) path.training")


def shot(p, name):
    if shots:
        p.screenshot(shots / f"report-{name}.png")


with Page(page, width=1200, height=1500, ready=READY) as p:
    titles = p.js("return [...document.querySelectorAll('.chart .title')].map(e => e.textContent)")
    check("a chart for everything that is logged", titles == [
        "Bits per byte", "Rows in memory", "Mean span", "Gradient norm", "Learning rate", "Speed", "Memory", "Auxiliary loss"], titles)
    check("three runs are drawn over each other", curves(p) == [0, 1, 2], curves(p))
    check("a window has no span", curves(p, 3) == [0, 2], curves(p, 3))
    drawn = p.js("return [...document.querySelectorAll('.plot path')].every(e => e.getBBox().width > 100)")
    check("each curve is as wide as its chart", drawn)
    names = p.js("return [...document.querySelectorAll('#runs .run')].map(e => e.textContent)")
    check("odd names are shown, safely", names[:2] == ["spans", "window"] and "\\xff" in names[2] and "script>" in names[2], names)
    shot(p, "light")

    p.click("#runs .run:nth-child(2)")
    check("a click hides a run", curves(p) == [0, 2] and p.find("#runs .run:nth-child(2)").get_attribute("aria-pressed") == "false")
    p.js("document.querySelector('#runs .run').focus()")
    p.press(Keys.SPACE)
    check("so does the keyboard", curves(p) == [2], curves(p))
    p.click("#runs .run:nth-child(2)")
    p.click("#runs .run:nth-child(1)")
    check("and shows it again", curves(p) == [0, 1, 2])

    ticks = lambda: p.js("return [...document.querySelectorAll('.chart:first-child text')].map(e => e.textContent)")
    steps = ticks()
    p.set("#axis", "bytes")
    check("the x axis by bytes", "600" in ticks() and "600" not in steps, ticks())
    p.set("#axis", "seconds")
    check("and by time", any(tick.endswith("s") for tick in ticks()), ticks())
    p.set("#axis", "step")
    check("and by steps", ticks() == steps)
    shape = lambda: p.js("return document.querySelector('path.training').getAttribute('d')")
    before = shape()
    for control in "#log-x", "#log-y", "#close-up":
        p.click(control)
        check(f"{control} changes the scale", shape() != before)
        p.click(control)
        check(f"{control} can be undone", shape() == before)
    p.set("#smoothing", "0.9")
    check("smoothing draws the smooth curve over the raw one", shape() != before and
          p.js("return document.querySelector('path.raw').getAttribute('d')") != shape())
    p.set("#smoothing", "0")

    p.hover(".chart:first-child .plot")
    at = p.text(".chart:first-child .at")
    readout = lambda: p.text(".chart:first-child .readout")
    expected = p.js("""const step = state.cursor, k = runs[0].training.step.indexOf(step);
                       return runs[0].training.train_bpb[k].toPrecision(4)""")
    check("the pointer reads values", at.startswith("step ") and expected in readout(), (at, readout(), expected))
    check("in all charts", p.text(".chart:nth-child(4) .at") == at)
    p.js("document.querySelector('.plot').focus()")
    p.press(Keys.HOME)
    check("the Home key goes to the first point", p.text(".chart .at") == "step 2", p.text(".chart .at"))
    p.press(Keys.ARROW_RIGHT)
    check("an arrow to the next", p.text(".chart .at") == "step 4", p.text(".chart .at"))
    p.press(Keys.END)
    check("the End key to the last", p.text(".chart .at") == "step 40", p.text(".chart .at"))
    p.press("+")
    check("+ zooms", p.js("return state.zoom !== null") and shape() != before)
    p.press("0")
    check("0 shows the whole range", p.js("return state.zoom === null") and shape() == before)

    p.js("""state.cursor = null;
            const plot = document.querySelector('.plot'), box = plot.getBoundingClientRect();
            const at = {pointerType: 'touch', clientX: box.left + box.width / 2, clientY: box.top + 50, bubbles: true};
            for (const kind of ['pointerdown', 'pointerup', 'pointerleave']) plot.dispatchEvent(new PointerEvent(kind, at));""")
    check("a tap reads values, which stay", p.js("return state.cursor !== null") and "step" in p.text(".chart .at"))
    plot = p.find(".chart:first-child .plot")
    ActionChains(p.driver).move_to_element_with_offset(plot, -100, 0).click_and_hold().move_by_offset(200, 0).release().perform()
    zoom = p.js("return state.zoom")
    check("the pointer drags a part of the range", zoom and 10 < zoom[0] < 20 < zoom[1] < 30 and shape() != before, zoom)
    p.click("#reset")
    check("and a button shows all of it again", shape() == before)

    rows = lambda: p.js("return [...document.querySelectorAll('#configuration tr')].map(e => e.firstChild.textContent)")
    check("the configuration shows what differs", rows() == ["key", "model.kind"], rows())
    p.set("#keys", "all")
    check("or every key", len(rows()) > 40 and "train.tensorboard" in rows())
    samples = p.js("return [...document.querySelectorAll('#samples pre')].map(e => e.textContent)")
    check("a sample of each run", len(samples) == 3 and all(len(text) > 200 for text in samples))
    check("it prints", len(base64.b64decode(p.print_pages())) > 20000)
    for number in 1, 2, 3:
        p.click(f"#runs .run:nth-child({number})")
    check("without any run a chart says so", "no run is shown" in p.js("return document.querySelector('.plot').textContent"))

with Page(page, width=1200, height=1500, dark=True, ready=READY) as p:
    light = lambda colour: sum(map(int, colour[colour.index("(") + 1:-1].split(",")[:3])) > 380
    check("dark: a dark page", not light(p.js("return getComputedStyle(document.body).backgroundColor")))
    check("dark: light text on it", light(p.js("return getComputedStyle(document.querySelector('.plot text')).fill")))
    shot(p, "dark")

with Page(page, width=400, height=900, ready=READY) as p:
    columns = p.js("return new Set([...document.querySelectorAll('.chart')].map(e => e.getBoundingClientRect().left)).size")
    check("phone: one chart beside another would be too small", columns == 1)
    shot(p, "phone")

with Page(one, ready=READY) as p:
    check("one run: its name is the title", p.text("h1") == "window")
    check("what is not the default", "model.kind" in p.text("#configuration") and "train.optimizer.beta1" not in p.text("#configuration"))

with Page(live, ready=READY) as p:
    check("a run that was interrupted", "not at the last step" in p.text("#about") and curves(p) == [0])

with Page(long, ready=READY) as p:
    length = p.js("return document.querySelector('path.training').getAttribute('d').length")
    check("ten thousand points: a path of no more than the picture can show", 1000 < length < 60000, length)
    took = p.js("""const begin = performance.now();
                   for (let i = 0; i < 5; ++i) { drawCharts(); document.body.offsetHeight; }
                   return (performance.now() - begin) / 5""")
    print(f"        (all charts are drawn in {took:.0f} ms)")
    top = p.js("return document.querySelector('path.training').getBBox().y")
    spike = p.js("return charts[0].y.at(Math.max(...runs[0].training.train_bpb.slice(10)))")
    check("the one point that stands out is drawn", p.js("""
        const d = document.querySelector('path.training').getAttribute('d'), y = arguments[0];
        return d.split(/[ML]/).slice(1).some(p => Math.abs(+p.split(' ')[1] - y) < 0.2)""", spike), (top, spike))

finish()
