// The panel beside the text: one byte, as a row of memory and as a query.
const stateName = m => m >= 1 ? "alive" : m > 0 ? (model.slots ? "in a slot" : "on the ramp") : "forgotten";

const thenFading = () => model.spans === "none" ? "" : `, and then fading for ${model.ramp} more`;

// The masks of a byte's row by distance, a line per layer.
function maskChart(j) {
  const width = 300, height = 86, left = 22, bottom = 16, top = 6;
  const far = Math.max(8, Math.ceil(model.spans === "none" ? farthest() * 1.1 :
    Math.max(...everyLayer.map(l => spanOf[l][j])) * 1.1 + model.ramp));
  const points = 120, svg = svgElement("svg", {viewBox: `0 0 ${width} ${height}`, role: "img",
                                               "aria-label": "mask of the row by distance"});
  const x = d => left + (d - 1) / (far - 1) * (width - left), y = m => top + (1 - m) * (height - top - bottom);
  svg.append(svgElement("line", {class: "axis", x1: left, x2: width, y1: y(0), y2: y(0)}),
             svgElement("line", {class: "axis", x1: left, x2: width, y1: y(1), y2: y(1)}),
             svgElement("text", {x: left - 4, y: y(1) + 4, "text-anchor": "end"}, "1"),
             svgElement("text", {x: left - 4, y: y(0) + 4, "text-anchor": "end"}, "0"),
             svgElement("text", {x: left, y: height - 3}, "1 position later"),
             svgElement("text", {x: width, y: height - 3, "text-anchor": "end"}, figure(far)));
  for (const l of everyLayer) {
    let path = "";
    for (let p = 0; p <= points; ++p) {
      const d = 1 + p / points * (far - 1);
      path += `${p ? "L" : "M"}${x(d).toFixed(1)} ${y(mask(l, j, j + d)).toFixed(1)}`;
    }
    svg.append(svgElement("path", {d: path, fill: "none", "stroke-width": 1.8, stroke: seriesColor(l),
                                   "stroke-dasharray": dashes(l)}));
  }
  return svg;
}

// The bytes around [begin, end), which are set off.
function contextOf(begin, end) {
  const from = charStart[charOfByte[Math.max(0, begin - 6)]], to = charStart[charOfByte[Math.min(size, end + 6) - 1] + 1];
  return element("span", {class: "context"}, shown(from, begin), element("b", {}, shown(begin, end)), shown(end, to));
}

const hex = byte => byte.toString(16).padStart(2, "0");

function layerTable(head, cellsOf) {
  const rows = everyLayer.map(l => {
    const row = element("tr", {}, element("td", {}, `layer ${l}`), ...cellsOf(l));
    if (state.layer === l) row.style.fontWeight = "600";
    return row;
  });
  return element("table", {}, element("tbody", {}, ...rows));
}

const number = text => element("td", {class: "number"}, text);

function inspect(i) {
  const cursor = state.cursor, c = charOfByte[i], begin = charStart[c], end = charStart[c + 1];
  const parts = [element("h2", {}, element("span", {class: "glyph"}, bytes[i] === 32 ? "␣" : glyph(begin)),
                         `byte ${count(i)}`),
                 element("p", {class: "muted"}, end - begin > 1 ?
                   `${Array.from(bytes.subarray(begin, end), hex).join(" ")} in UTF-8, byte ${i - begin + 1} of ${end - begin}` : `0x${hex(bytes[i])}`,
                   i > 0 ? ` · ${loss[i].toFixed(2)} bits` : " · the first byte is not predicted",
                   ...cuts.map(cut => i > 0 ? `, ${cut.loss[i].toFixed(2)} with ${cut.rows} rows` : ""))];
  parts.push(element("h3", {}, `Its row: positions seen in full${thenFading()}`));
  parts.push(layerTable("row", l => {
    const e = spanOf[l][i], m = i < cursor ? mask(l, i, cursor) : null;
    const share = Math.log1p(e) / Math.log1p(Math.max(1, longest));
    const bar = element("td", {class: "wide"}, meter(share, seriesColor(l)));
    return [number(figure(e)), bar, element("td", {class: "muted"}, m === null ? "" : stateName(m))];
  }));
  parts.push(maskChart(i));
  if (i < cursor)
    parts.push(element("p", {class: "muted"}, `State at the cursor, ${count(cursor - i)} positions later.`));

  parts.push(element("h3", {}, "Its query: what it looks back at"));
  const counts = everyLayer.map(l => rowsOf[l][i]);
  const where = layers === 1 ? "its layer" : `layers 0 to ${layers - 1}`;
  const what = model.slots ? "rows and slots" : "rows";
  parts.push(element("p", {}, `sees ${counts.map(count).join(", ")} ${what} in ${where}`));
  const rows = attention(state.layer, i).slice(0, 8);
  if (!rows.length) parts.push(element("p", {class: "muted"}, "Nothing precedes it."));
  else {
    parts.push(element("p", {class: "muted"},
                       `Strongest rows, ${layerName(state.layer)}: weight (mean over heads), distance, place`));
    parts.push(element("table", {}, element("tbody", {}, ...rows.map(row => element("tr", {},
      number(row.weight.toFixed(3)), number(`−${count(i - row.begin)}`),
      element("td", {class: "wide"}, contextOf(row.begin, row.end)))))));
  }
  byId("inspector").replaceChildren(...parts);
}
