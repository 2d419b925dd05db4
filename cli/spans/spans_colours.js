// Colours, light and dark: scales for numbers, and the looks of rows in memory.
const darkMode = matchMedia("(prefers-color-scheme: dark)");
const steps = 64;
let colours;  // made anew when the browser changes from light to dark

function rgb(hex) {
  return [1, 3, 5].map(at => parseInt(hex.slice(at, at + 2), 16));
}

// Looks along stops "#rrggbb", equally far apart; letters are black or white, whichever can be read.
function scale(stops) {
  const points = stops.map(rgb);
  return Array.from({length: steps}, (_, step) => {
    const x = step / (steps - 1) * (points.length - 1), at = Math.min(points.length - 2, Math.floor(x));
    const c = points[at].map((from, k) => Math.round(from + (points[at + 1][k] - from) * (x - at)));
    const light = (0.299 * c[0] + 0.587 * c[1] + 0.114 * c[2]) / 255;
    return {paper: `rgb(${c})`, ink: light > 0.52 ? "#111111" : "#ffffff", struck: false};
  });
}

const onPaper = {paper: "#ffffff", text: "#000000", muted: "#444444"};  // the style is still that of the screen

function makeColours(printing = false) {
  const style = getComputedStyle(document.documentElement);
  const color = name => printing && onPaper[name] || style.getPropertyValue(`--${name}`).trim();
  const paper = color("paper"), base = rgb(paper);
  const blend = (name, share) =>
    `rgb(${rgb(color(name)).map((c, k) => Math.round(base[k] + (c - base[k]) * share))})`;
  const dark = darkMode.matches && !printing;
  colours = {
    paper, focus: color("focus"), cursor: color("text"),
    span: scale(dark ? ["#15171a", "#1c2f55", "#1b5a80", "#1f8f86", "#7cc36a", "#f6e35a"] :
                       ["#ffffff", "#fff3b8", "#a9dfb4", "#3fa9bf", "#2361a8", "#1a2f73"]),
    loss: scale(dark ? ["#15171a", "#43211f", "#8a3324", "#d9652f", "#ffd08a"] :
                       ["#ffffff", "#ffe3c2", "#fdae7a", "#e4603a", "#8f1414"]),
    cut: scale(dark ? ["#5aa9f0", "#1f456b", "#15171a", "#8a3a22", "#ff9a60"] :
                      ["#2b6cb0", "#a9cbea", "#ffffff", "#fdb98c", "#c43d1a"]),
    attention: scale(dark ? ["#15171a", "#33234a", "#643c8f", "#a86fd6", "#ecc8ff"] :
                            ["#ffffff", "#e3d4f2", "#b58bd6", "#7d3fa8", "#4a1470"]),
    kept: scale([paper, color("alive")]),
    alive: {paper: blend("alive", dark ? 0.5 : 0.45), ink: color("text"), struck: false},
    fading: Array.from({length: steps}, (_, step) =>
      ({paper: blend("fading", 0.2 + 0.65 * step / (steps - 1)), ink: color("text"), struck: false})),
    gone: {paper: null, ink: color("muted"), struck: true}, strike: blend("muted", 0.6),
    unread: {paper: null, ink: blend("muted", 0.55), struck: false},
    plain: {paper: null, ink: color("text"), struck: false},
    unseen: {paper: null, ink: blend("muted", 0.85), struck: false},
  };
}

// Step of a scale for x from 0 to 1.
const stepOf = x => Math.max(0, Math.min(steps - 1, Math.floor(x * steps)));

const mostLoss = 8, mostCut = 4;  // bits at the ends of their scales
const spanStep = e => stepOf(Math.log1p(e) / Math.log1p(Math.max(1, longest)));
const spanAt = x => Math.expm1(x * Math.log1p(Math.max(1, longest)));

// The mean of f over bytes [begin, end): a character has the mean of its bytes.
function meanOver(begin, end, f) {
  if (end - begin === 1) return f(begin);
  let sum = 0;
  for (let i = begin; i < end; ++i) sum += f(i);
  return sum / (end - begin);
}

// What each view shows: the look of the character of bytes [begin, end), for a choice of layers and the byte t
// at the cursor.
const painters = {
  span: (choice) => {
    const of = spans(choice);
    return (begin, end) => colours.span[spanStep(meanOver(begin, end, j => of[j]))];
  },
  memory: (choice, t) => (begin, end) => {
    if (begin >= t) return colours.unread;
    const m = meanOver(begin, end, j => overLayers(choice, l => mask(l, j, t)));
    if (choice === "mean" && m > 0) return colours.kept[stepOf(m)];
    return m >= 1 ? colours.alive : m > 0 ? colours.fading[stepOf(m)] : colours.gone;
  },
  attention: (choice, t) => {
    const weights = new Map(), among = typeof choice === "number" ? choice : "max";
    const isSeen = j => overLayers(among, l => mask(l, j, t)) > 0;
    for (const row of attention(choice, t))
      for (let j = row.begin; j < row.end; ++j) weights.set(j, row.weight);
    return (begin, end) => {
      if (begin >= t) return colours.unread;
      let most = 0;
      for (let j = begin; j < end; ++j) most = Math.max(most, weights.get(j) ?? 0);
      return most > 0 ? colours.attention[stepOf(Math.sqrt(most))] : isSeen(begin) ? colours.plain : colours.unseen;
    };
  },
  loss: () => (begin, end) => {
    const bits = meanOver(begin, end, i => loss[i]);
    return Number.isNaN(bits) ? colours.plain : colours.loss[stepOf(bits / mostLoss)];
  },
  cut: (choice, t, which) => (begin, end) => {
    const more = meanOver(begin, end, i => cuts[which].loss[i] - loss[i]);
    return Number.isNaN(more) ? colours.plain : colours.cut[stepOf((more / mostCut + 1) / 2)];
  },
};
