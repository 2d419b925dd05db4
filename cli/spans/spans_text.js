// The text: its characters, its lines, and a canvas with those that are visible. A page has few elements whatever
// the length of its text.
let charStart;   // Uint32Array: first byte of each character, and the end of the text
let charOfByte;  // Uint32Array
let lineStart;   // [line]: first character
let cell = {width: 9, height: 22};  // of a character, in CSS pixels

// The bytes of the well-formed character at byte i; 0 when there is none.
function characterLength(i) {
  const lead = bytes[i];
  if (lead < 0x80) return 1;
  const length = lead >= 0xc2 && lead <= 0xdf ? 2 : (lead & 0xf0) === 0xe0 ? 3 :
    lead >= 0xf0 && lead <= 0xf4 ? 4 : 0;
  if (!length || i + length > size) return 0;
  for (let k = 1; k < length; ++k) if ((bytes[i + k] & 0xc0) !== 0x80) return 0;
  const next = bytes[i + 1];  // neither longer than needed, nor a surrogate, nor above U+10FFFF
  return (lead === 0xe0 && next < 0xa0) || (lead === 0xed && next > 0x9f) || (lead === 0xf0 && next < 0x90) ||
    (lead === 0xf4 && next > 0x8f) ? 0 : length;
}

function codePoint(i, length) {
  if (length === 1) return bytes[i];
  let code = bytes[i] & (0xff >> (length + 1));
  for (let k = 1; k < length; ++k) code = code << 6 | (bytes[i + k] & 63);
  return code;
}

// Characters that are not shown, or that move others: control characters, marks of direction, joiners.
const unseen = c => c < 0x20 || (c >= 0x7f && c < 0xa0) || c === 0xad || c === 0x61c ||
  (c >= 0x200b && c <= 0x200f) || (c >= 0x2028 && c <= 0x202e) || (c >= 0x2060 && c <= 0x206f) ||
  (c >= 0xfe00 && c <= 0xfe0f) || c === 0xfeff || (c >= 0xfff9 && c <= 0xfffb) || c >= 0xe0000;

// How the character at byte i is shown.
function glyph(i) {
  const length = characterLength(i);
  if (length === 0) return "\ufffd";
  const code = codePoint(i, length);
  return code === 10 ? "↵" : code === 9 ? "→" : unseen(code) ? "·" : String.fromCodePoint(code);
}

// Bytes [begin, end) as text.
function shown(begin, end) {
  let out = "";
  for (let i = Math.max(0, begin); i < Math.min(end, size); i += Math.max(1, characterLength(i))) out += glyph(i);
  return out;
}

const isWide = c => c >= 0x1100 && (c <= 0x115f || (c >= 0x2e80 && c <= 0xa4cf) || (c >= 0xac00 && c <= 0xd7a3) ||
  (c >= 0xf900 && c <= 0xfaff) || (c >= 0xfe30 && c <= 0xfe6f) || (c >= 0xff00 && c <= 0xff60) ||
  (c >= 0xffe0 && c <= 0xffe6) || (c >= 0x1f300 && c <= 0x1faff) || (c >= 0x20000 && c <= 0x3fffd));

// The cells of a character: two for wide ones.
function cells(c) {
  const i = charStart[c];
  return bytes[i] < 0xe1 ? 1 : isWide(codePoint(i, charStart[c + 1] - i)) ? 2 : 1;
}

function findCharacters() {
  const starts = new Uint32Array(size + 1);
  charOfByte = new Uint32Array(size);
  let count = 0;
  for (let i = 0; i < size; ++count) {
    const end = i + Math.max(1, characterLength(i));
    starts[count] = i;
    while (i < end) charOfByte[i++] = count;
  }
  starts[count] = size;
  charStart = starts.slice(0, count + 1);
}

// Lines of at most `columns` cells: after a newline, or else after a space.
function breakLines(columns) {
  lineStart = [0];
  const count = charStart.length - 1;
  let width = 0, space = -1;
  for (let c = 0; c < count; ++c) {
    const w = cells(c), byte = bytes[charStart[c]];
    if (width + w > columns) {
      const at = space > lineStart[lineStart.length - 1] && c - space < columns / 2 ? space : c;
      lineStart.push(at);
      width = 0;
      for (let d = at; d < c; ++d) width += cells(d);
    }
    width += w;
    if (byte === 32) space = c + 1;
    if (byte === 10 && c + 1 < count) {
      lineStart.push(c + 1);
      width = 0;
    }
  }
}

const lineEnd = line => line + 1 < lineStart.length ? lineStart[line + 1] : charStart.length - 1;

function lineOf(c) {
  let low = 0, high = lineStart.length - 1;
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    if (lineStart[middle] <= c) low = middle; else high = middle - 1;
  }
  return low;
}

function columnOf(c) {
  let column = 0;
  for (let d = lineStart[lineOf(c)]; d < c; ++d) column += cells(d);
  return column;
}

// The character at a column of a line, or the line's last.
function characterAt(line, column) {
  const end = lineEnd(line);
  let c = lineStart[line], at = cells(c);
  while (c + 1 < end && at <= column) at += cells(++c);
  return c;
}

const view = byId("text"), canvas = byId("canvas"), context = canvas.getContext("2d");
const padding = 10;
let columns = 80;

// After a change of the window's size: the canvas, the cell and the lines. The line at the top stays there.
function layOut() {
  const top = lineStart ? lineStart[Math.min(lineStart.length - 1, Math.floor(view.scrollTop / cell.height))] : 0;
  const pixel = window.devicePixelRatio || 1, width = view.clientWidth, height = view.clientHeight;
  canvas.width = Math.round(width * pixel);
  canvas.height = Math.round(height * pixel);
  canvas.style.width = `${width}px`;
  canvas.style.height = `${height}px`;
  context.setTransform(pixel, 0, 0, pixel, 0, 0);
  const mono = getComputedStyle(document.documentElement).getPropertyValue("--mono");
  context.font = `${width < 500 ? 14 : 15}px ${mono}`;
  context.textBaseline = "middle";
  cell.width = context.measureText("M".repeat(20)).width / 20;
  const fit = Math.max(8, Math.floor((width - 2 * padding) / cell.width));
  if (fit !== columns || !lineStart) {
    columns = fit;
    breakLines(columns);
  }
  byId("sizer").style.height = `${Math.max(height, lineStart.length * cell.height + 2 * padding)}px`;
  view.scrollTop = lineOf(top) * cell.height;
}

// The byte at a place of the window; null where there is none.
function byteAt(x, y) {
  const box = canvas.getBoundingClientRect();
  const line = Math.floor((y - box.top + view.scrollTop - padding) / cell.height);
  if (line < 0 || line >= lineStart.length) return null;
  return charStart[characterAt(line, Math.max(0, (x - box.left - padding) / cell.width))];
}

function bringIntoView(byte) {
  const y = lineOf(charOfByte[byte]) * cell.height, height = view.clientHeight - 3 * cell.height;
  if (y < view.scrollTop + cell.height) view.scrollTop = Math.max(0, y - cell.height);
  else if (y > view.scrollTop + height) view.scrollTop = y - height;
}

// Paints the visible lines. `paint(begin, end)` gives the look of a character: {paper, ink, struck}.
// The places of `boxes`, [{byte, color, width}], get a frame.
function drawText(paint, paper, boxes) {
  const width = view.clientWidth, height = view.clientHeight, top = view.scrollTop;
  context.fillStyle = paper;
  context.fillRect(0, 0, width, height);
  const first = Math.max(0, Math.floor((top - padding) / cell.height));
  const last = Math.min(lineStart.length - 1, Math.floor((top + height - padding) / cell.height));
  for (let line = first; line <= last; ++line) drawLine(line, padding + line * cell.height - top, paint);
  for (const {byte, color, width: thick} of boxes) {
    const c = charOfByte[byte], line = lineOf(c);
    if (line < first || line > last) continue;
    context.strokeStyle = color;
    context.lineWidth = thick;
    context.strokeRect(padding + columnOf(c) * cell.width - 1, padding + line * cell.height - top + 1,
                       cells(c) * cell.width + 2, cell.height - 2);
  }
}

function drawLine(line, y, paint) {
  const end = lineEnd(line), inks = new Map(), middle = y + cell.height / 2;
  let column = 0, paper = null, from = 0;
  const fill = to => {
    if (paper && to > from) {
      context.fillStyle = paper;
      context.fillRect(padding + from * cell.width, y + 1, (to - from) * cell.width + 0.5, cell.height - 2);
    }
    from = to;
  };
  const struck = [];
  for (let c = lineStart[line]; c < end; ++c) {
    const begin = charStart[c], look = paint(begin, charStart[c + 1]), w = cells(c);
    if (look.paper !== paper) {
      fill(column);
      paper = look.paper;
    }
    if (bytes[begin] !== 32) {
      if (!inks.has(look.ink)) inks.set(look.ink, []);
      inks.get(look.ink).push([column, glyph(begin)]);
      if (look.struck) struck.push([column, w]);
    }
    column += w;
  }
  fill(column);
  for (const [ink, glyphs] of inks) {  // letters of a fixed width together, others one by one
    context.fillStyle = ink;
    let text = "", start = 0;
    const flush = () => { if (text) context.fillText(text, padding + start * cell.width, middle); text = ""; };
    for (const [at, g] of glyphs) {
      const plain = g.length === 1 && g < "\x7f";
      if (!plain || at - start - text.length > 8) flush();
      if (!plain) {
        context.fillText(g, padding + at * cell.width, middle, 2 * cell.width);
        continue;
      }
      if (!text) start = at;
      text += " ".repeat(at - start - text.length) + g;
    }
    flush();
  }
  context.fillStyle = colours.strike;
  for (const [at, w] of struck) context.fillRect(padding + at * cell.width, middle, w * cell.width, 1);
}
