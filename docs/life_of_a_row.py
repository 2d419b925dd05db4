#!/usr/bin/env python3
"""Draws docs/life_of_a_row.svg, the picture of docs/life_of_a_row.md, from the numbers of its example.

    docs/life_of_a_row.py >docs/life_of_a_row.svg
"""

from math import exp

S, R, M = 64, 8, 16  # longest span, ramp, block length
WRITTEN = 3  # position of the row
LOGIT = [-0.5, -0.5, -0.45]  # of its span, in the blocks that see it
SPAN = [S / (1 + exp(-z)) for z in LOGIT]

WIDTH, HEIGHT = 1000, 500
LEFT, STEP = 84, 17.8  # of position 0; pixels per position
TOP, BOTTOM = 150, 290  # of m = 1 and m = 0

STYLE = """
  text { font: 14px "DejaVu Sans", Verdana, "Liberation Sans", Arial, sans-serif; fill: #24292f; }
  .small { font-size: 12px; fill: #57606a; }
  .stage { font-weight: bold; }
  .middle { text-anchor: middle; }
  .end { text-anchor: end; }
  .card { fill: #ffffff; stroke: #d0d7de; }
  .block { fill: #f3f5f8; }
  .axis { stroke: #8c959f; fill: none; }
  .grid { stroke: #d0d7de; stroke-dasharray: 3 4; }
  .ramp { fill: #ffe3c2; }
  .curve { stroke: #0a64c8; stroke-width: 3; fill: none; stroke-linejoin: round; stroke-linecap: round; }
  .before { stroke: #0a64c8; stroke-width: 1.5; fill: none; stroke-dasharray: 2 4; }
  .query { fill: #d4570a; stroke: #ffffff; stroke-width: 1.5; }
  .learns { fill: #b34700; }
  .born { fill: #0a64c8; }
  .gone { fill: #57606a; }
  .push { stroke: #b34700; stroke-width: 2; fill: none; }
  .head { fill: #b34700; }
  @media (prefers-color-scheme: dark) {
    text { fill: #e6edf3; }
    .small { fill: #9ea7b3; }
    .card { fill: #0d1117; stroke: #30363d; }
    .block { fill: #171c24; }
    .grid { stroke: #30363d; }
    .ramp { fill: #4a2d12; }
    .curve, .before { stroke: #58a6ff; }
    .query { fill: #ff9d4d; stroke: #0d1117; }
    .learns { fill: #ffab66; }
    .born { fill: #58a6ff; }
    .gone { fill: #9ea7b3; }
    .push { stroke: #ffab66; }
    .head { fill: #ffab66; }
  }
"""


def x(position):
    return LEFT + STEP * position


def y(mask):
    return BOTTOM - (BOTTOM - TOP) * mask


def mask(position, block):
    return min(1, max(0, (SPAN[block] - (position - WRITTEN)) / R + 1))


def text(px, py, words, *classes):
    name = f' class="{" ".join(classes)}"' if classes else ""
    print(f'<text x="{px:.1f}" y="{py:.1f}"{name}>{words}</text>')


def line(name, *points):
    print(f'<path class="{name}" d="M' + " L".join(f"{px:.1f} {py:.1f}" for px, py in points) + '"/>')


def bar(name, first, last, top, bottom, radius=0):
    """Positions first to last; a query is at the middle of its position."""
    print(f'<rect class="{name}" x="{x(first - 0.5):.1f}" y="{top}" width="{STEP * (last - first + 1):.1f}" height="{bottom - top}" rx="{radius}"/>')


def stages():
    text(x(WRITTEN), 44, "written", "stage", "born", "middle")
    text(x(16), 44, "seen in full", "stage", "middle")
    text(x(16), 63, "r &gt; 0: m = 1, no gradient to the span", "small", "middle")
    text(x(31.5), 44, "on the ramp", "stage", "learns", "middle")
    text(x(31.5), 63, "−R ≤ r ≤ 0: the span learns", "small", "learns", "middle")
    text(x(41.5), 44, "expired", "stage", "gone", "middle")
    text(x(41.5), 63, "r &lt; −R: m = 0", "small", "middle")
    text(x(48), 44, "deleted", "stage", "gone", "middle")
    line("grid", (x(WRITTEN), 52), (x(WRITTEN), BOTTOM))


def curve():
    line("axis", (x(-0.5), y(0)), (x(49.5), y(0)))
    text(x(-0.5) - 10, y(1) + 5, "m = 1", "end", "small")
    text(x(-0.5) - 10, y(0) + 5, "m = 0", "end", "small")
    end = WRITTEN + SPAN[1]
    line("curve", (x(WRITTEN + 1), y(1)), (x(end), y(1)), (x(31.5), y(mask(31.5, 1))))
    line("before", (x(31.5), y(mask(31.5, 1))), (x(end + R), y(0)))
    line("curve", (x(31.5), y(mask(31.5, 2))), (x(WRITTEN + SPAN[2] + R), y(0)), (x(47.5), y(0)))
    for position in range(28, 36):
        print(f'<circle class="query" cx="{x(position):.1f}" cy="{y(mask(position, position // M)):.1f}" r="5"/>')
    print(f'<circle class="born" cx="{x(WRITTEN):.1f}" cy="{y(0):.1f}" r="6"/>')
    # The two forces on the span, and what the new weights of block 2 have changed.
    line("push", (x(32), 92), (x(34.7), 92))
    print(f'<path class="head" d="M{x(34.7):.1f} 87 l9 5 l-9 5 z"/>')
    text(x(36.4), 96, "attention: longer if useful", "small", "learns")
    line("push", (x(28.6), 116), (x(31.3), 116))
    print(f'<path class="head" d="M{x(28.6):.1f} 111 l-9 5 l9 5 z"/>')
    text(x(36.4), 120, "auxiliary loss: shorter", "small", "learns")
    text(x(36.4), y(0.42), "dotted: before the", "small")
    text(x(36.4), y(0.42) + 17, "update of the weights", "small")


def axes():
    for position in range(0, 49, 4):
        line("axis", (x(position), y(0)), (x(position), y(0) + 5))
        text(x(position), y(0) + 21, position, "small", "middle")
    text(x(-0.5) - 10, y(0) + 21, "position", "end", "small")
    for distance in (1, 8, 16, 24, 32, 40):
        text(x(WRITTEN + distance), y(0) + 41, distance, "small", "middle")
    text(x(-0.5) - 10, y(0) + 41, "δ", "end", "small")


def blocks():
    ages = ["age −3: its own block", "age 13: a memory row", "age 29: a memory row"]
    verdicts = [(16, "survives", "24.2 + 8 &gt; 13"), (32, "survives", "24.2 + 8 &gt; 29"), (48, "deleted", "24.9 + 8 ≤ 45")]
    for block, age in enumerate(ages):
        middle = x(M * block + 7.5)
        text(middle, 368, f"block {block}", "stage", "middle")
        text(middle, 388, age, "small", "middle")
        text(middle, 408, f"z = {LOGIT[block]} → e = {SPAN[block]:.2f}".replace("-", "−"), "small", "middle")
    for edge, verdict, numbers in verdicts:
        px = x(edge - 0.5)
        line("axis", (px, 424), (px, 440))
        text(px, 457, verdict, "stage", "middle", "gone" if verdict == "deleted" else "born")
        text(px, 475, numbers, "small", "middle")
    text(x(-0.5), 457, "after each block:", "small")
    text(x(-0.5), 475, "e + R &gt; age + n ?", "small")


print(f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{HEIGHT}" viewBox="0 0 {WIDTH} {HEIGHT}" role="img"')
print(' aria-label="The mask of one memory row over the positions of its stream, from writing to deletion">')
print(f"<style>{STYLE}</style>")
print(f'<rect class="card" x="0.5" y="0.5" width="{WIDTH - 1}" height="{HEIGHT - 1}" rx="10"/>')
for b in range(3):
    bar("block", M * b + 0.06, M * b + M - 1.06, 76, 424, 6)
bar("ramp", WRITTEN + SPAN[1] + 0.5, WRITTEN + SPAN[2] + R - 0.5, 76, BOTTOM)
stages()
axes()
curve()
blocks()
print("</svg>")
