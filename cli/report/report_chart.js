// One chart: the same numbers of all runs that are shown.

const colourOf = i => `--colour: var(--series-${i % 8})`;
const swatch = i => element("i", {class: "swatch" + (i >= 8 ? " dashed" : ""), style: colourOf(i)});
const runLabel = i => element("span", {class: "run"}, swatch(i), runs[i].name);

function svg(name, attributes, parent, text) {
  const e = document.createElementNS("http://www.w3.org/2000/svg", name);
  for (const [key, value] of Object.entries(attributes)) e.setAttribute(key, value);
  if (text !== undefined) e.textContent = text;
  parent.append(e);
  return e;
}

class Chart {
  constructor(spec) {
    this.spec = spec;
    this.text = spec.text || precise;
    this.at = element("span", {class: "at"});
    this.readout = element("div", {class: "readout"});
    this.plot = element("div", {
      class: "plot",
      tabindex: "0",
      role: "group",
      "aria-label": `${spec.title}: arrow keys read the curves`
    });
    this.figure = element(
        "figure", {class: spec.wide ? "chart wide" : "chart"},
        element(
            "figcaption", {}, element("span", {class: "title"}, spec.title),
            element("span", {class: "note"}, spec.note || ""), this.at),
        this.readout, this.plot);
    byId("charts").append(this.figure);
    this.plot.addEventListener("pointermove", e => this.move(e));
    this.plot.addEventListener("pointerdown", e => this.press(e));
    this.plot.addEventListener("pointerup", e => this.release(e));
    this.plot.addEventListener("pointerleave", e => {
      if (e.pointerType === "mouse" && document.activeElement !== this.plot) setCursor(null);
    });
    this.plot.addEventListener("dblclick", () => setZoom(null));
    this.plot.addEventListener("keydown", e => this.key(e));
    this.plot.addEventListener("focus", () => this.readout.setAttribute("aria-live", "polite"));
    this.plot.addEventListener("blur", () => {
      this.readout.removeAttribute("aria-live");
      setCursor(null);
    });
  }

  // The curves of the runs that are shown, with x by the chosen axis.
  series() {
    const found = [];
    runs.forEach((run, i) => {
      if (state.hidden.has(i)) return;
      for (const kind of ["training", "validation"]) {
        const key = this.spec[kind];
        if (!key || !has(run[kind][key], this.spec)) continue;
        const xs = AXES[state.axis].of(run, run[kind]), ys = run[kind][key], kept = [];
        xs.forEach((x, k) => {
          if (isNumber(x) && (!state.logX || x > 0)) kept.push(k);
        });
        const raw = kept.map(k => ys[k]);
        found.push({
          i,
          kind,
          xs: kept.map(k => xs[k]),
          raw,
          ys: kind === "training" ? smoothed(raw, state.smoothing) : raw
        });
      }
    });
    return found;
  }

  // What the y axis shows of the values in a range of x, with some room. Chooses its kind, too: values that are all
  // 0 or below have no logarithm.
  yRange(range) {
    const from = state.closeUp ? range[0] + 0.1 * (range[1] - range[0]) : range[0], inside = [];
    for (const s of this.shown)
      s.xs.forEach((x, k) => {
        if (x >= from && x <= range[1] && isNumber(s.ys[k])) inside.push(s.ys[k]);
      });
    this.log = state.logY && inside.some(y => y > 0);
    const values = (this.log ? inside.filter(y => y > 0) : inside).sort((a, b) => a - b);
    if (!values.length) return [0, 1];
    const cut = state.closeUp ? Math.floor(values.length * 0.02) : 0;
    const low = values[cut], high = values[values.length - 1 - cut];
    if (this.log) {
      const room = Math.max(1.01, (high / low) ** 0.05);
      return [low / room, high * room];
    }
    const room = (high - low || Math.abs(high) || 1) * 0.05;
    return [low >= 0 ? Math.max(0, low - room) : low - room, high + room];
  }

  draw(range) {
    const width = Math.max(200, this.plot.clientWidth), height = this.spec.wide ? 300 : 190;
    this.shown = this.series();
    for (const s of this.shown) {  // what the cursor reads
      s.known = s.xs.filter((x, k) => isNumber(s.ys[k]));
      s.values = s.ys.filter(isNumber);
    }
    this.points = [...new Set(this.shown.flatMap(s => s.known))]
                      .filter(x => x >= range[0] && x <= range[1])
                      .sort((a, b) => a - b);
    const [low, high] = this.yRange(range);
    const left = 54, right = width - 10, top = 8, bottom = height - 24;
    this.x = new Scale(range[0], range[1], left, right, state.logX, AXES[state.axis].steps);
    this.y = new Scale(low, high, bottom, top, this.log, this.spec.ticks);

    const picture = document.createElementNS("http://www.w3.org/2000/svg", "svg");
    picture.setAttribute("viewBox", `0 0 ${width} ${height}`);
    picture.setAttribute("aria-hidden", "true");
    const clip = `clip-${this.spec.training}`;
    svg("rect", {x: left - 4, y: top - 4, width: right - left + 8, height: bottom - top + 8},
        svg("clipPath", {id: clip}, svg("defs", {}, picture)));
    for (const tick of this.y.ticks(this.spec.wide ? 6 : 4)) {
      svg("line", {class: "grid", x1: left, x2: right, y1: this.y.at(tick), y2: this.y.at(tick)}, picture);
      svg("text", {x: left - 7, y: this.y.at(tick) + 4, "text-anchor": "end"}, picture,
          (this.spec.text || short)(tick));
    }
    for (const tick of this.x.ticks(Math.max(2, Math.floor((right - left) / 85)))) {
      const x = this.x.at(tick);
      svg("line", {class: "axis", x1: x, x2: x, y1: bottom, y2: bottom + 4}, picture);
      svg("text", {x, y: bottom + 17, "text-anchor": x > right - 18 ? "end" : "middle"}, picture,
          AXES[state.axis].text(tick));
    }
    svg("line", {class: "axis", x1: left, x2: right, y1: bottom, y2: bottom}, picture);
    const lines = svg("g", {"clip-path": `url(#${clip})`}, picture);
    for (const s of this.shown) {
      if (s.ys !== s.raw) this.line(lines, s, s.raw, "raw");
      this.line(lines, s, s.ys, s.kind);
    }
    if (!this.shown.length)
      svg("text", {x: (left + right) / 2, y: (top + bottom) / 2, "text-anchor": "middle"}, picture,
          runs.length > state.hidden.size ? "nothing logged yet" : "no run is shown");
    this.overlay = svg("g", {}, picture);
    this.plot.replaceChildren(picture);
    this.box = {width, left, right, top, bottom};
    this.drawCursor();
  }

  line(parent, s, ys, style) {
    const points = [], [low, high] = [this.x.low, this.x.high];
    for (let k = 0; k < s.xs.length; ++k) {
      if (k + 1 < s.xs.length && s.xs[k + 1] < low || k > 0 && s.xs[k - 1] > high) continue;
      points.push(
          isNumber(ys[k]) && (!this.log || ys[k] > 0) ? {x: this.x.at(s.xs[k]), y: this.y.at(ys[k]), i: k} :
                                                        null);
    }
    const beside = style === "training" && this.spec.validation ? " beside" : "";
    svg("path", {
      class: style + beside + (s.i >= 8 ? " dashed" : ""),
      style: colourOf(s.i),
      d: pathOf(points),
      "data-run": s.i
    },
        parent);
    const there = points.filter(p => p);
    if (there.length === 1 || (style === "validation" && there.length < 60))
      for (const p of there)
        svg("circle", {cx: p.x, cy: p.y, r: 3, class: style + beside, style: colourOf(s.i)}, parent);
  }

  // Values at the cursor, or the last ones. A curve has no value before its first point and after its last.
  drawCursor() {
    this.overlay.replaceChildren();
    this.at.textContent =
        state.cursor === null ? "" : `${AXES[state.axis].name} ${AXES[state.axis].text(state.cursor)}`;
    const values = new Map();
    for (const s of this.shown) {
      const {known, values: ys} = s,
                            k = state.cursor === null ? known.length - 1 : nearest(known, state.cursor);
      if (k < 0) continue;
      if (!values.has(s.i)) values.set(s.i, {});
      if (state.cursor !== null && (state.cursor < known[0] || state.cursor > known[known.length - 1])) {
        values.get(s.i)[s.kind] = "–";
        continue;
      }
      values.get(s.i)[s.kind] = this.text(ys[k]);
      const x = this.x.at(known[k]), y = this.y.at(ys[k]);
      if (state.cursor !== null && x >= this.box.left - 1 && x <= this.box.right + 1 && isFinite(y))
        svg("circle",
            {cx: x, cy: Math.max(this.box.top, Math.min(this.box.bottom, y)), r: 4, style: colourOf(s.i)},
            this.overlay);
    }
    if (state.cursor !== null) {
      const x = this.x.at(state.cursor);
      if (x >= this.box.left - 1 && x <= this.box.right + 1)
        this.overlay.prepend(svg(
            "line", {class: "cursor", x1: x, x2: x, y1: this.box.top, y2: this.box.bottom}, this.overlay));
    }
    this.readout.replaceChildren(...[...values].map(([i, value]) => {
      const label = element("span", {title: runs[i].name}, swatch(i));
      label.append(element("span", {class: this.spec.wide ? "" : "unseen"}, runs[i].name));
      if (value.training) label.append(value.training);
      if (value.validation) label.append(element("span", {class: "also"}, `validation ${value.validation}`));
      return label;
    }));
  }

  pixel(e) {
    return (e.clientX - this.plot.getBoundingClientRect().left) * this.box.width / this.plot.clientWidth;
  }

  move(e) {
    const x = Math.max(this.box.left, Math.min(this.box.right, this.pixel(e)));
    if (this.pressed !== undefined && Math.abs(x - this.pressed) > 4) {
      this.overlay.querySelector(".selection")?.remove();
      svg("rect", {
        class: "selection",
        x: Math.min(x, this.pressed),
        y: this.box.top,
        width: Math.abs(x - this.pressed),
        height: this.box.bottom - this.box.top
      },
          this.overlay);
      return;
    }
    if (this.points.length) setCursor(this.points[nearest(this.points, this.x.value(x))]);
  }
  press(e) {
    if (e.pointerType !== "mouse") return this.move(e);
    if (e.button !== 0) return;
    this.pressed = Math.max(this.box.left, Math.min(this.box.right, this.pixel(e)));
    this.plot.setPointerCapture(e.pointerId);
  }
  release(e) {
    const from = this.pressed, to = Math.max(this.box.left, Math.min(this.box.right, this.pixel(e)));
    this.pressed = undefined;
    if (from !== undefined && Math.abs(to - from) > 4)
      setZoom([this.x.value(Math.min(from, to)), this.x.value(Math.max(from, to))]);
  }
  key(e) {
    const points = this.points,
          here = state.cursor === null ? points.length - 1 : nearest(points, state.cursor);
    const by = e.shiftKey ? 10 : 1,
          go = k => points.length && setCursor(points[Math.max(0, Math.min(points.length - 1, k))]);
    const zoom = factor => {
      const middle =
          this.x.at(state.cursor === null ? this.x.value((this.x.from + this.x.to) / 2) : state.cursor);
      setZoom([this.x.from, this.x.to].map(edge => this.x.value(middle + (edge - middle) * factor)));
    };
    const actions = {
      ArrowLeft: () => go(state.cursor === null ? here : here - by),
      ArrowRight: () => go(here + by),
      Home: () => go(0),
      End: () => go(points.length - 1),
      Escape: () => setCursor(null),
      "+": () => zoom(0.5),
      "=": () => zoom(0.5),
      "-": () => zoom(2),
      "0": () => setZoom(null),
    };
    if (!actions[e.key] || e.ctrlKey || e.metaKey || e.altKey) return;
    e.preventDefault();
    actions[e.key]();
  }
}
