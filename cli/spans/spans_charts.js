// The charts and lists below the text.
const svgElement = (name, attributes, ...children) => {
  const e = document.createElementNS("http://www.w3.org/2000/svg", name);
  for (const [key, value] of Object.entries(attributes)) e.setAttribute(key, value);
  e.append(...children);
  return e;
};
const seriesColor = k => `var(--series-${k % 8})`;
const dashes = k => ["", "5 3", "2 2", "8 3 2 3"][Math.floor(k / 8) % 4];

const timeLines = [];  // of the charts over time: functions that move them to a byte

// A chart of values over the text, one line for each of series [{name, values, color, dash}]: of each stretch of
// the text the mean. A click on it moves the cursor.
function chartOverTime(place, series, unit) {
  const width = 560, height = 190, left = 36, right = 8, top = 8, bottom = 20;
  const buckets = Math.min(size, 260), per = size / buckets;
  const lines = series.map(s => Array.from({length: buckets}, (_, b) =>
    meanOf(s.values.subarray(Math.floor(b * per), Math.max(Math.floor(b * per) + 1, Math.floor((b + 1) * per))))));
  const all = lines.flat().filter(x => !Number.isNaN(x));
  const most = Math.max(1e-9, ...all), least = Math.min(0, ...all);
  const x = byte => left + (byte + 0.5) / size * (width - left - right);
  const y = value => height - bottom - (value - least) / (most - least) * (height - top - bottom);
  const svg = svgElement("svg", {viewBox: `0 0 ${width} ${height}`, role: "img",
                                 "aria-label": `${unit} over the text: ${series.map(s => s.name).join(", ")}`});
  for (const value of least < 0 ? [least, 0, most] : [0, most / 2, most])
    svg.append(svgElement("line", {class: "axis", x1: left, x2: width - right, y1: y(value), y2: y(value)}),
               svgElement("text", {x: left - 5, y: y(value) + 4, "text-anchor": "end"}, figure(value, 2)));
  for (const part of [0, 0.5, 1])
    svg.append(svgElement("text", {x: left + part * (width - left - right), y: height - 5,
                                   "text-anchor": ["start", "middle", "end"][part * 2]},
                          Math.round(part * (size - 1)).toLocaleString("en")));
  lines.forEach((values, k) => {
    let path = "", pen = "M";
    values.forEach((value, b) => {
      if (Number.isNaN(value)) { pen = "M"; return; }
      path += `${pen}${x((b + 0.5) * per - 0.5).toFixed(1)} ${y(value).toFixed(1)}`;
      pen = "L";
    });
    svg.append(svgElement("path", {d: path, fill: "none", "stroke-width": 1.6, "stroke-linejoin": "round",
                                   stroke: series[k].color, "stroke-dasharray": series[k].dash}));
  });
  const time = svgElement("line", {class: "time", y1: top, y2: height - bottom});
  svg.append(time);
  timeLines.push(t => { time.setAttribute("x1", x(t)); time.setAttribute("x2", x(t)); });
  svg.addEventListener("click", event => {
    const box = svg.getBoundingClientRect(), at = ((event.clientX - box.left) / box.width * width - left) /
      (width - left - right);
    goThere(Math.floor(at * size));
  });
  const names = element("div", {class: "series"});
  for (const s of series) {
    const swatch = element("i");
    swatch.style.background =
      s.dash ? `repeating-linear-gradient(90deg, ${s.color} 0 4px, transparent 4px 6px)` : s.color;
    names.append(element("span", {}, swatch, s.name));
  }
  byId(place).replaceChildren(names, svg);
}

// Rows by span, in bins that double: 0 to 1, 1 to 2, 2 to 4, ..
function histogram(layer) {
  const bins = Math.max(3, Math.ceil(Math.log2(Math.max(1, longest))) + 1);
  const counts = new Float64Array(bins);
  for (const e of spanOf[layer]) ++counts[e < 1 ? 0 : Math.min(bins - 1, 1 + Math.floor(Math.log2(e)))];
  const width = 200, height = 84, bottom = 15, most = Math.max(...counts), step = width / bins;
  const svg = svgElement("svg", {viewBox: `0 0 ${width} ${height}`, role: "img",
                                 "aria-label": `layer ${layer}: ${[...counts].map((c, b) =>
                                   `${b ? 2 ** (b - 1) : 0} to ${2 ** b}: ${Math.round(100 * c / size)} %`).join(", ")}`});
  counts.forEach((count, b) => {
    const h = count / most * (height - bottom - 4);
    svg.append(svgElement("rect", {x: b * step + 1, width: step - 2, y: height - bottom - h, height: h,
                                   fill: seriesColor(layer)},
                          svgElement("title", {}, `${b ? 2 ** (b - 1) : 0} to ${2 ** b}: ` +
                                     `${(100 * count / size).toFixed(1)} %`)));
    const last = b === bins - 1;
    const every = Math.ceil(bins / 5);
    if ((b % every === 0 && b < bins - every) || last)
      svg.append(svgElement("text", {x: last ? width : b * step + 1, y: height - 3,
                                     "text-anchor": last ? "end" : "start"}, last ? 2 ** b : b ? 2 ** (b - 1) : 0));
  });
  svg.append(svgElement("line", {class: "axis", x1: 0, x2: width, y1: height - bottom, y2: height - bottom}));
  return svg;
}

function meter(share, color) {
  const bar = element("div");
  bar.style.width = `${Math.max(0, Math.min(100, 100 * share))}%`;
  if (color) bar.style.background = color;
  return element("div", {class: "meter"}, bar);
}

function drawHistograms() {
  const figures = everyLayer.map(l => {
    const caption = element("figcaption");
    const box = element("figure", {"data-layer": l}, caption);
    if (model.spans === "rows") {
      caption.append(element("b", {}, `layer ${l}`), ` mean ${figure(meanOf(spanOf[l]))}`);
      box.append(histogram(l));
    } else if (model.spans === "heads") {
      caption.append(element("b", {}, `layer ${l}`), " spans of its heads");
      model.head_span[l].forEach((z, h) => box.append(
        element("div", {}, `head ${h}: ${figure(z)}`), meter(z / model.max_span, seriesColor(l))));
    } else {
      caption.append(element("b", {}, `layer ${l}`), ` every row: ${model.max_span}` +
        (model.slots ? `, then ${model.slots.count} slots of ${model.slots.rate}` : ""));
    }
    return box;
  });
  byId("histograms").replaceChildren(...figures);
}

// Groups of bytes by key, of those that occur often enough, longest kept first: [{key, begin, length, count, mean}].
function ranked(choice, each) {
  const of = spans(choice), groups = new Map();
  each((key, begin, end) => {
    let group = groups.get(key);
    if (!group) groups.set(key, group = {key, begin, length: end - begin, count: 0, sum: 0});
    ++group.count;
    for (let i = begin; i < end; ++i) group.sum += of[i];
  });
  const fewest = Math.max(2, Math.round(size / 5000));
  const found = [...groups.values()].filter(g => g.count >= fewest);
  for (const g of found) g.mean = g.sum / (g.count * g.length);
  return found.sort((a, b) => b.mean - a.mean);
}

function eachWord(f) {
  for (let i = 0; i < size; ++i) {
    if (!wordMarks[i]) continue;
    const begin = i++;
    while (i < size && wordMarks[i] === 1) ++i;
    f(wordKeys[begin] ??= String.fromCharCode(...bytes.subarray(begin, Math.min(i, begin + 1000))), begin, i--);
  }
}
const wordKeys = {};

const listCache = new Map();
function lists(choice) {
  if (!listCache.has(choice)) listCache.set(choice, {
    words: ranked(choice, eachWord),
    single: ranked(choice, f => { for (let i = 0; i < size; ++i) f(bytes[i], i, i + 1); }),
  });
  return listCache.get(choice);
}

function drawLists(choice) {
  if (model.spans !== "rows") {
    byId("lists-note").textContent = "This model keeps every row equally long.";
    return;
  }
  const {words, single} = lists(choice);
  byId("lists-note").textContent =
    `Mean span and number of occurrences, ${layerName(choice)}; a click goes to the next one.`;
  const list = (title, groups, whole) => {
    const items = groups.map(g => {
      const name = g.length === 1 && bytes[g.begin] === 32 ? "(space)" : shown(g.begin, g.begin + g.length);
      const button = element("button", {title: `go to the next ${name}`}, name);
      button.addEventListener("click", () => goTo(bytes.slice(g.begin, g.begin + g.length), {whole}));
      return element("li", {}, button, element("span", {class: "number"}, figure(g.mean)),
                     element("span", {class: "number muted"}, `${g.count.toLocaleString("en")}×`));
    });
    return element("div", {}, element("h3", {}, title), element("ol", {}, ...items));
  };
  const most = 8, few = groups => Math.min(most, Math.ceil(groups.length / 2));
  byId("lists").replaceChildren(element("div", {class: "lists"},
    list("Words kept longest", words.slice(0, few(words)), true),
    list("Words forgotten fastest", words.slice(-few(words) || words.length).reverse(), true),
    list("Bytes kept longest", single.slice(0, few(single)), false),
    list("Bytes forgotten fastest", single.slice(-few(single) || single.length).reverse(), false)));
}

function drawLosses() {
  const series = [{name: "full memory", loss}, ...cuts.map(c => ({name: `${c.rows} rows`, loss: c.loss}))];
  const means = series.map(s => meanOf(s.loss)), most = Math.max(...means);
  byId("loss-note").textContent = size < 2 ? "One byte has no loss: nothing precedes it." :
    "Bits per byte when every query sees only the N nearest rows." + (cuts.length ? "" :
      " No row is seen so far back that a cut would matter, or none was asked for (--cut).");
  if (size < 2) return;
  const row = (s, k) => element("tr", {}, element("td", {}, s.name),
    element("td", {class: "number"}, means[k].toFixed(4)),
    element("td", {class: "number muted"},
            k ? `${means[k] < means[0] ? "−" : "+"}${Math.abs(means[k] - means[0]).toFixed(4)}` : ""),
    element("td", {style: "width: 50%; vertical-align: middle"}, meter(means[k] / most, seriesColor(k))));
  byId("loss-table").replaceChildren(element("table", {}, element("tbody", {}, ...series.map(row))));
  if (!cuts.length) return;
  const added = cuts.map(cut => cut.loss.map((bits, i) => bits - loss[i]));
  chartOverTime("loss-chart", added.map((values, k) =>
    ({name: `bits more with ${cuts[k].rows} rows`, values, color: seriesColor(k + 1), dash: dashes(k + 1)})), "bits more");
  listLosers(added);
}

// The places that pay most for a short memory: those with the largest added loss for each cut.
function listLosers(added) {
  const lists = cuts.map((cut, k) => {
    const most = [];  // [added bits, byte], the largest first
    added[k].forEach((bits, i) => {
      if (!(bits > 0) || (most.length === 5 && bits <= most[4][0])) return;
      most.push([bits, i]);
      most.sort((a, b) => b[0] - a[0]).splice(5);
    });
    const items = most.map(([bits, i]) => {
      const begin = charStart[charOfByte[i]], button = element("button", {title: `go to byte ${i}`},
        shown(begin - 8, begin), element("b", {}, glyph(begin)), shown(charStart[charOfByte[i] + 1], begin + 7));
      button.addEventListener("click", () => goThere(i));
      return element("li", {}, button, element("span", {class: "number"}, `+${figure(bits)}`));
    });
    return element("div", {}, element("h3", {}, `Costliest with ${cut.rows} rows`), element("ol", {}, ...items));
  });
  byId("losers").replaceChildren(element("div", {class: "lists"}, ...lists));
}

function drawCharts() {
  timeLines.length = 0;
  drawHistograms();
  chartOverTime("rows-chart", everyLayer.map(l =>
    ({name: `layer ${l}`, values: rowsOf[l], color: seriesColor(l), dash: dashes(l)})), "rows");
  drawLosses();
}
