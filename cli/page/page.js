// Every page: its data, and small helpers.
const data = JSON.parse(document.getElementById("data").textContent);

const byId = id => document.getElementById(id);

// The bytes of a string that `packed` in page.h made: a promise of a Uint8Array.
async function unpack(text) {
  const bytes = Uint8Array.from(atob(text), c => c.charCodeAt(0));
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate"));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}

// element("td", {class: "number"}, "12"): attributes, then children. Strings become text, never markup.
function element(name, attributes = {}, ...children) {
  const e = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) e.setAttribute(key, value);
  e.append(...children);
  return e;
}

// A number with so many significant digits, without an exponent where it would be short.
const figure = (x, digits = 3) =>
  x === null || !isFinite(x) ? "–" : Math.abs(x) >= 1e6 || (x !== 0 && Math.abs(x) < 1e-4) ?
    x.toExponential(digits - 1) : String(+x.toPrecision(Math.max(digits, Math.ceil(Math.log10(Math.abs(x) + 1)))));
