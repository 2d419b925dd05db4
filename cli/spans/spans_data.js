// What the page knows of the model and the text. Byte j's row is the memory that it leaves; byte t's query looks
// back at the rows before it, and predicts the byte after it.
const model = data.model, layers = model.layers, size = data.bytes;
const everyLayer = Array.from({length: layers}, (_, l) => l);

let bytes;      // Uint8Array
let wordMarks;  // of each byte 0, or 1 in a word, or 2 where a word begins
let spanOf;     // [layer] Float32Array: the span of each byte's row; constant for kinds without spans per row
let rowsOf;     // [layer] Int32Array: rows that each byte's query sees
let loss;       // Float32Array: bits; NaN for the first byte
let cuts;       // [{rows, loss}]: the same with memory cut
let strongest;  // {count, distance, weight}: [layer][byte][count], strongest first

async function load() {
  const read = async (text, type) => new type((await unpack(text)).buffer);
  const byLayer = all => everyLayer.map(l => all.subarray(l * size, (l + 1) * size));
  bytes = await unpack(data.text);
  wordMarks = await unpack(data.words);
  rowsOf = byLayer(await read(data.rows, Int32Array));
  spanOf = data.span ? byLayer(await read(data.span, Float32Array)) : everyLayer.map(l =>
    new Float32Array(size).fill(model.head_span.length ? Math.max(...model.head_span[l]) : model.max_span));
  loss = await read(data.loss, Float32Array);
  cuts = [];
  for (const cut of data.cuts) cuts.push({rows: cut.rows, loss: await read(cut.loss, Float32Array)});
  const a = data.attention;
  strongest = {count: a.count, distance: await read(a.distance, a.wide ? Int32Array : Uint16Array),
               weight: await unpack(a.weight)};
}

const layerName = choice =>
  choice === "mean" ? "mean over layers" : choice === "max" ? "maximum over layers" : `layer ${choice}`;

// f(layer) for one layer, or its mean or maximum over all.
function overLayers(choice, f) {
  if (typeof choice === "number") return f(choice);
  let sum = 0, most = -Infinity;
  for (let l = 0; l < layers; ++l) {
    const value = f(l);
    sum += value;
    most = Math.max(most, value);
  }
  return choice === "mean" ? sum / layers : most;
}

// The span of each byte, for a choice of layers.
const spanCache = new Map();
function spans(choice) {
  if (typeof choice === "number") return spanOf[choice];
  if (!spanCache.has(choice))
    spanCache.set(choice, Float32Array.from({length: size}, (_, j) => overLayers(choice, l => spanOf[l][j])));
  return spanCache.get(choice);
}

let longest = 0;  // span in any layer
function findLongest() {
  for (const layer of spanOf) for (const e of layer) longest = Math.max(longest, e);
}

// The mask of a row by its remaining span: between two of the values that the program knows, a straight line.
function ramp(remaining) {
  const values = model.ramp_values, last = values.length - 1;
  const at = Math.min(1, Math.max(0, remaining / model.ramp + 1)) * last, k = Math.min(last - 1, Math.floor(at));
  return values[k] + (at - k) * (values[k + 1] - values[k]);
}

// Compressive memory. Group g of c rows is a slot from the query on that is `held` positions after its first row.
const exactRows = t => Math.min(model.max_span, model.slots.held + t % model.block);
const newestSlot = t => Math.floor((t - model.slots.held) / model.slots.rate);
function slotShare(j, t) {
  const age = newestSlot(t) - Math.floor(j / model.slots.rate);
  return age >= 0 && age < model.slots.count ? 1 / model.slots.rate : 0;
}

// How much of row j the query of byte t sees in a layer, from 0 to 1: the mask. A head's mask: the mean over heads.
// A row inside of a slot: its share of the slot.
function mask(l, j, t) {
  const distance = t - j;
  if (distance < 1) return 0;
  if (model.spans === "rows") {
    const e = spanOf[l][j];
    return e > distance - model.ramp ? Math.max(ramp(e - distance), 1e-9) : 0;
  }
  if (model.slots) return distance <= exactRows(t) ? 1 : slotShare(j, t);
  if (distance > model.max_span) return 0;
  if (model.spans === "none") return 1;
  let sum = 0;
  for (const z of model.head_span[l]) sum += ramp(z - (distance - 1));
  return sum / model.heads;
}

// The farthest distance at which any row is seen.
function farthest() {
  if (model.slots) return model.max_span + model.slots.count * model.slots.rate;
  return model.spans === "none" ? model.max_span : Math.ceil(longest) + model.ramp;
}

// How many rows the query of byte t sees whole, and how many in part, in a layer, or in any of all.
function countRows(choice, t) {
  let whole = 0, part = 0;
  const among = typeof choice === "number" ? choice : "max";
  for (let j = Math.max(0, t - farthest()); j < t; ++j) {
    const m = overLayers(among, l => mask(l, j, t));
    if (m >= 1) ++whole; else if (m > 0) ++part;
  }
  return {whole, part, gone: t - whole - part};
}

// What the query of byte t attends to: [{begin, end, weight}], bytes [begin, end), strongest first. With several
// layers, a row has the mean or maximum of its weights, 0 where it is not among the strongest.
function attention(choice, t) {
  const found = new Map();
  for (const l of typeof choice === "number" ? [choice] : everyLayer)
    for (let k = 0; k < strongest.count; ++k) {
      const at = (l * size + t) * strongest.count + k, distance = strongest.distance[at];
      if (distance === 0) break;
      const slot = model.slots && distance > model.max_span;
      const begin = slot ? (newestSlot(t) - (distance - model.max_span - 1)) * model.slots.rate : t - distance;
      const weight = (strongest.weight[at] / 255) ** 2;
      const row = found.get(begin) ?? {begin, end: begin + (slot ? model.slots.rate : 1), weight: 0};
      if (choice === "mean") row.weight += weight / layers; else row.weight = Math.max(row.weight, weight);
      found.set(begin, row);
    }
  return [...found.values()].sort((a, b) => b.weight - a.weight);
}

function meanOf(values) {
  let sum = 0, count = 0;
  for (const x of values) if (!Number.isNaN(x)) { sum += x; ++count; }
  return count ? sum / count : NaN;
}
