// The state of the page, its controls, and what they do.
const state = {layer: data.layer === "mean" || data.layer === "max" ? data.layer : Number(data.layer),
               view: "span", cut: 0, cursor: 0, hover: null};
const views = [["span", "Span"], ["memory", "Memory"], ["attention", "Attention"], ["loss", "Loss"],
               ["cut", "Added loss"]];
const keys = [["← → ↑ ↓", "move the cursor by a character or a line (in the text)"],
              ["Page ↑ ↓, Home, End", "by a page; to the ends of the line, with Ctrl of the text"],
              ["Space", "play time, or stop"], ["[ ]", "the layer before, after"],
              ["1 – 5", "what the colours show"], ["/", "find; Enter goes to the next place, Shift+Enter back"],
              ["?", "this list"]];
const focusByte = () => state.hover ?? state.cursor;
// The byte whose query the colours are about. What is in memory stays as the cursor found it, so that a byte can be
// pointed at.
const queryByte = () => state.view === "memory" ? state.cursor : focusByte();
const count = n => n.toLocaleString("en");

function redrawText() {
  const boxes = [{byte: state.cursor, color: colours.cursor, width: 1.5}];
  if (state.hover !== null) boxes.push({byte: state.hover, color: colours.focus, width: 1.5});
  else boxes[0] = {byte: state.cursor, color: colours.focus, width: 2};
  drawText(painters[state.view](state.layer, queryByte(), state.cut), colours.paper, boxes);
}

// After the cursor or the pointer has moved.
function moved() {
  redrawText();
  drawLegend();
  inspect(focusByte());
}

function setCursor(byte, {scroll = true, say = false} = {}) {
  state.cursor = Math.max(0, Math.min(size - 1, byte));
  state.hover = null;
  if (scroll) bringIntoView(state.cursor);
  byId("time").value = state.cursor;
  byId("time").setAttribute("aria-valuetext", `byte ${state.cursor} of ${size}`);
  byId("where").textContent = `byte ${count(state.cursor)} of ${count(size)}`;
  for (const move of timeLines) move(state.cursor);
  moved();
  if (say) byId("status").textContent = describe(state.cursor);
}

// The same, for controls that may be far from the text.
function goThere(byte) {
  setCursor(byte, {say: true});
  view.scrollIntoView({block: "nearest"});
}

function describe(i) {
  const rows = countRows(state.layer, i);
  const name = bytes[i] === 32 ? "space" : glyph(charStart[charOfByte[i]]);
  return `byte ${i}, ${name}: span ${figure(spans(state.layer)[i])}, ` +
    `${layerName(state.layer)}; its query sees ${rows.whole} rows whole, ${rows.part} in part`;
}

function setLayer(choice) {
  state.layer = choice;
  byId("layer").value = String(choice);
  for (const box of byId("histograms").children)
    box.classList.toggle("chosen", typeof choice === "number" && Number(box.dataset.layer) === choice);
  drawLists(choice);
  moved();
}

function setView(name) {
  if (name === "cut" && !cuts.length) return;
  state.view = name;
  for (const button of byId("views").children) button.setAttribute("aria-pressed", button.dataset.view === name);
  moved();
}

function colourBar(stops, ticks) {
  const bar = element("div", {class: "bar"});
  const colors = stops.filter((_, k) => k % 7 === 0).map(stop => stop.paper);
  bar.style.background = `linear-gradient(90deg, ${colors.join(", ")})`;
  const marks = ticks.map(tick => element("span", {}, tick));
  return element("div", {class: "scale"}, bar, element("div", {class: "ticks"}, ...marks));
}

function swatch(look, name) {
  const e = element("span", {class: "swatch"}, "abc");
  if (look.paper) e.style.background = look.paper;
  e.style.color = look.ink;
  if (look.struck) e.style.textDecoration = "line-through";
  return element("span", {class: "key"}, e, name);
}

function drawLegend() {
  const t = queryByte(), where = layerName(state.layer), legend = byId("legend");
  if (state.view === "span")
    legend.replaceChildren(
      element("span", {}, `For how many positions each byte’s row is seen in full${thenFading()} (${where})`),
      colourBar(colours.span, [0, 0.25, 0.5, 0.75, 1].map(x => figure(spanAt(x), 2))));
  else if (state.view === "memory") {
    const rows = countRows(state.layer, t), one = typeof state.layer === "number";
    legend.replaceChildren(element("span", {}, `What byte ${count(t)} finds in memory (${where})`),
      ...(state.layer === "mean" ?
        [element("span", {class: "key"}, "seen by the layers", colourBar(colours.kept, ["0", "½", "all"]))] :
        [swatch(colours.alive, `${count(rows.whole)} alive`),
         swatch(colours.fading[steps >> 1], `${count(rows.part)} ${model.slots ? "in slots" : "on the ramp"}`)]),
      swatch(colours.gone, `${count(rows.gone)} forgotten${one ? "" : " by all layers"}`),
      swatch(colours.unread, "not read yet"));
  } else if (state.view === "attention")
    legend.replaceChildren(
      element("span", {}, `What byte ${count(t)} attends to: weight, mean over heads (${where}; ` +
        `its ${strongest.count} strongest rows${typeof state.layer === "number" ? "" : " in each layer"})`),
      colourBar(colours.attention, [0, 0.25, 0.5, 0.75, 1].map(x => figure(x * x, 2))));
  else if (state.view === "loss")
    legend.replaceChildren(element("span", {}, "How surprising each byte was: its loss in bits"),
                           colourBar(colours.loss, ["0", "2", "4", "6", "8 and more"]));
  else
    legend.replaceChildren(
      element("span", {},
              `Bits that each byte costs more when queries see only the ${cuts[state.cut].rows} nearest rows`),
      colourBar(colours.cut, ["−4", "−2", "0", "+2", "+4"]));
}

// Goes to the next place after the cursor, or the one before it, that has the bytes of `what`; ASCII letters
// match in both cases where `folded`; where `whole`, only words that have just these bytes. False when there is none.
function goTo(what, {folded = false, back = false, whole = false}) {
  const fold = b => folded && b >= 65 && b <= 90 ? b + 32 : b;
  const wanted = Array.from(what, fold);
  for (let step = 1; step <= size; ++step) {
    const at = (state.cursor + (back ? size - step : step)) % size, end = at + wanted.length;
    if (end > size || (whole && (wordMarks[at] !== 2 || wordMarks[end] === 1))) continue;
    let k = 0;
    while (k < wanted.length && fold(bytes[at + k]) === wanted[k]) ++k;
    if (k === wanted.length) {
      goThere(at);
      return true;
    }
  }
  return false;
}
let playing = null;
function play(on) {
  clearInterval(playing);
  if (on && charStart[charOfByte[state.cursor] + 1] >= size) setCursor(0);
  const slow = matchMedia("(prefers-reduced-motion: reduce)").matches;
  playing = on ? setInterval(() => {
    const next = charStart[charOfByte[state.cursor] + 1];
    if (next >= size) play(false); else setCursor(next);
  }, slow ? 500 : 60) : null;
  byId("play").setAttribute("aria-pressed", on);
  byId("play").textContent = on ? "⏸ Stop" : "▶ Play";
  if (!on || state.view === "memory" || state.view === "attention") return;
  setView("memory");
  if (state.layer === "mean") setLayer("max");  // rows are then alive, on the ramp or forgotten, as in one layer
}

function help(on) {
  byId("help").hidden = !on;
  byId("help-button").setAttribute("aria-expanded", on);
}

// Keys in the text. True when the key means something there.
function textKey(event) {
  const c = charOfByte[state.cursor], line = lineOf(c), page = Math.floor(view.clientHeight / cell.height) - 2;
  const toLine = n => charStart[characterAt(Math.max(0, Math.min(lineStart.length - 1, n)), columnOf(c))];
  const last = charStart.length - 2;
  const to = {
    ArrowLeft: () => charStart[Math.max(0, c - 1)], ArrowRight: () => charStart[Math.min(last, c + 1)],
    ArrowUp: () => toLine(line - 1), ArrowDown: () => toLine(line + 1),
    PageUp: () => toLine(line - page), PageDown: () => toLine(line + page),
    Home: () => event.ctrlKey ? 0 : charStart[lineStart[line]],
    End: () => charStart[event.ctrlKey ? last : lineEnd(line) - 1],
  }[event.key];
  if (to) setCursor(to(), {say: true});
  return Boolean(to);
}

function onKey(event) {
  const at = event.target;
  const bracket = event.key === "[" || event.key === "]";  // some keyboards have them with Alt, or Ctrl and Alt
  if (at.matches("input:not([type=range]), select") || event.metaKey || (event.altKey && !bracket)) return;
  if (document.activeElement === view && textKey(event)) return event.preventDefault();
  if (event.ctrlKey && !event.altKey) return;
  const choices = ["mean", "max", ...everyLayer], layer = choices.indexOf(state.layer);
  if (event.key === "[") setLayer(choices[Math.max(0, layer - 1)]);
  else if (event.key === "]") setLayer(choices[Math.min(choices.length - 1, layer + 1)]);
  else if (event.key >= "1" && event.key <= "5") setView(views[event.key - 1][0]);
  else if (event.key === " " && !at.matches("button")) play(!playing);
  else if (event.key === "/") byId("find").focus();
  else if (event.key === "?") help(byId("help").hidden);
  else if (event.key === "Escape") help(false);
  else return;
  event.preventDefault();
}

function makeControls() {
  byId("title").textContent = `What is kept of ${data.name}, and for how long`;
  byId("sentence").textContent = "Every byte leaves a row in the memory of each layer. " + (model.spans === "rows" ?
    `The model predicts how long the row will be needed, its span: at most ${count(model.max_span)} positions. ` +
    `Then the row fades on a ramp of ${model.ramp}, and is deleted.` :
    `The model is of kind ${data.sentence}.`);
  byId("facts").textContent = `${count(size)} ${size === 1 ? "byte" : "bytes"} · ` +
    `${layers} ${layers === 1 ? "layer" : "layers"} · ${model.kind} · ${data.run}` +
    (size > 1 ? ` · ${meanOf(loss).toFixed(4)} bits per byte` : "");
  byId("footer").textContent = "Made by fade spans. The page is one file and loads nothing.";
  for (const [value, name] of [["mean", "mean"], ["max", "maximum"], ...everyLayer.map(l => [l, String(l)])])
    byId("layer").append(element("option", {value}, name));
  byId("layer").value = String(state.layer);
  views.forEach(([name, label], k) => {
    const button = element("button", {"data-view": name, "aria-pressed": name === state.view,
                                      title: `key ${k + 1}`}, label);
    button.addEventListener("click", () => setView(name));
    if (name === "cut") button.disabled = !cuts.length;
    byId("views").append(button);
  });
  cuts.forEach((cut, k) => byId("cut").append(element("option", {value: k}, String(cut.rows))));
  byId("cut-label").hidden = !cuts.length;
  byId("time").max = size - 1;
  byId("help").append(element("dl", {}, ...keys.flatMap(([key, what]) =>
    [element("dt", {}, element("kbd", {}, key)), element("dd", {}, what)])));
}

function listen() {
  byId("layer").addEventListener("change", e =>
    setLayer(/^\d/.test(e.target.value) ? Number(e.target.value) : e.target.value));
  byId("cut").addEventListener("change", e => { state.cut = Number(e.target.value); setView("cut"); });
  byId("time").addEventListener("input", e => setCursor(Number(e.target.value)));
  byId("play").addEventListener("click", () => play(!playing));
  byId("help-button").addEventListener("click", () => help(byId("help").hidden));
  byId("find").addEventListener("keydown", e => {
    if (e.key === "Escape") view.focus();
    if (e.key !== "Enter" || !e.target.value) return;
    const found = goTo(new TextEncoder().encode(e.target.value), {folded: true, back: e.shiftKey});
    e.target.setAttribute("aria-invalid", !found);
    if (!found) byId("where").textContent = "not found";
  });
  document.addEventListener("keydown", onKey);
  view.addEventListener("scroll", redrawText, {passive: true});
  canvas.addEventListener("pointermove", e => {
    const byte = e.pointerType === "mouse" ? byteAt(e.clientX, e.clientY) : null;
    if (byte === state.hover || playing) return;
    state.hover = byte;
    moved();
  });
  canvas.addEventListener("pointerleave", () => {
    if (state.hover === null) return;
    state.hover = null;
    moved();
  });
  canvas.addEventListener("click", e => {
    const byte = byteAt(e.clientX, e.clientY);
    if (byte !== null) setCursor(byte, {scroll: false, say: true});
    view.focus({preventScroll: true});
  });
  new ResizeObserver(() => { layOut(); redrawText(); }).observe(view);
  darkMode.addEventListener("change", () => { makeColours(); moved(); });
  addEventListener("beforeprint", printText);
  addEventListener("afterprint", () => { makeColours(); moved(); });
}

// On paper: a part of the text, with its colours: the beginning, or, where the colours are about the cursor, what
// leads to it.
const mostPrinted = 4000;
function printText() {
  makeColours(true);
  drawLegend();
  const paint = painters[state.view](state.layer, state.cursor, state.cut), out = byId("print-text");
  out.replaceChildren();
  const about = state.view === "memory" || state.view === "attention";
  const from = about ? Math.max(0, Math.min(state.cursor + 200, size) - mostPrinted) : 0;
  const first = charOfByte[from], here = about ? charOfByte[state.cursor] : -1;
  let run = null, look = null;
  for (let c = first; charStart[c] < Math.min(size, from + mostPrinted); ++c) {
    const begin = charStart[c], now = paint(begin, charStart[c + 1]);
    if (now !== look || c === here) {
      run = element("span", {style: `background: ${now.paper ?? "transparent"}; color: ${now.ink}`});
      if (now.struck) run.style.textDecoration = "line-through";
      if (c === here) run.style.outline = "1.5px solid";
      out.append(run);
      look = c === here ? null : now;
    }
    run.append(bytes[begin] === 10 ? "↵\n" : glyph(begin));
  }
  if (size > mostPrinted)
    out.append(`\n[${count(mostPrinted)} of ${count(size)} bytes, from byte ${count(charStart[first])} on]`);
}

async function start() {
  await load();
  findLongest();
  makeControls();
  makeColours();
  findCharacters();
  layOut();
  drawCharts();
  setLayer(state.layer);
  setCursor(Math.min(size - 1, 200), {scroll: false});
  listen();
  state.ready = true;
  if (model.spans === "rows") prepare(["mean", "max", ...everyLayer]);
}

// Makes the lists of all choices while nothing else is to do, so that the control for the layer answers at once.
function prepare(choices) {
  if (choices.length) setTimeout(() => {
    lists(choices[0]);
    prepare(choices.slice(1));
  }, 20);
}
start();
