// The curves of runs over each other, their results, settings and samples. `data` is report_data.h's object.
const runs = data.runs;
const state = {
  axis: "step",
  logX: false,
  logY: false,
  closeUp: false,
  smoothing: 0,
  hidden: new Set(),
  zoom: null,
  cursor: null
};

const AXES = {
  step: {name: "step", text: short, of: (run, curves) => curves.step},
  bytes: {
    name: "bytes read",
    text: short,
    of: (run, curves) => curves.step.map(step => step * run.bytes_per_step)
  },
  seconds: {
    name: "training time",
    text: duration,
    of: (run, curves) => curves.seconds,
    steps: [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400, 28800, 86400]
  },
};
const CHARTS = [
  {
    title: "Bits per byte",
    note: "dots: validation; thin: training, mean over the log interval",
    training: "train_bpb",
    validation: "valid_bpb",
    wide: true
  },
  {
    title: "Rows in memory",
    note: "per stream and layer",
    training: "mean_rows",
    validation: "valid_mean_rows"
  },
  {title: "Mean span", note: "in positions", training: "mean_span", validation: "valid_mean_span"},
  {title: "Gradient norm", note: "before clipping", training: "grad_norm"},
  {title: "Learning rate", training: "lr"},
  {title: "Speed", note: "bytes per second of training", training: "tokens_per_s", text: short},
  {
    title: "Memory",
    note: "largest so far, in tensors",
    training: "peak_bytes",
    text: memory,
    ticks: Array.from({length: 40}, (_, i) => 2 ** (i + 4))
  },
  {title: "Auxiliary loss", note: "nats", training: "aux", unlessZero: true},
  {title: "Skipped steps", training: "skipped", unlessZero: true},
];

// What the xs of all runs that are shown span.
function wholeRange() {
  let low = Infinity, high = -Infinity;
  runs.forEach((run, i) => {
    if (state.hidden.has(i)) return;
    for (const curves of [run.training, run.validation])
      for (const x of AXES[state.axis].of(run, curves))
        if (isNumber(x) && (!state.logX || x > 0)) {
          low = Math.min(low, x);
          high = Math.max(high, x);
        }
  });
  if (low > high) return state.logX ? [1, 10] : [0, 1];
  if (!state.logX && low < 0.1 * high) low = 0;
  return low < high ? [low, high] : [low * 0.9, high * 1.1 || 1];
}

let charts = [];
function drawCharts() {
  const whole = wholeRange();
  const range = state.zoom ? [Math.max(whole[0], state.zoom[0]), Math.min(whole[1], state.zoom[1])] : whole;
  for (const chart of charts) chart.draw(range[0] < range[1] ? range : whole);
  byId("reset").hidden = !state.zoom;
}
function setCursor(x) {
  state.cursor = x;
  for (const chart of charts) chart.drawCursor();
}
function setZoom(range) {
  const whole = wholeRange();
  state.zoom = range && (range[0] > whole[0] || range[1] < whole[1]) ? range : null;
  drawCharts();
}

// Shows or hides a run; `only`: hides the others, or shows all, when it was alone.
function toggle(i, only) {
  if (only) {
    const alone = !state.hidden.has(i) && state.hidden.size === runs.length - 1;
    state.hidden = new Set(alone ? [] : runs.keys());
    state.hidden.delete(i);
  } else if (!state.hidden.delete(i)) {
    state.hidden.add(i);
  }
  [...byId("runs").children].forEach(
      (button, k) => button.setAttribute("aria-pressed", String(!state.hidden.has(k))));
  drawCharts();
}

function begin() {
  const training = runs.filter(run => run.steps < run.steps_planned).length;
  byId("title").textContent = runs.length === 1 ? runs[0].name : `${runs.length} runs`;
  byId("about").textContent =
      training ? `${runs.length === 1 ? "not" : `${training} not`} at the last step yet` : "";
  const thinned = runs.filter(run => run.training.step.length < run.training_lines).length;
  byId("footer").textContent = `${data.version} report` +
      (thinned ?
           ". Curves of more than 20,000 lines show a part of them, with the least and the greatest values." :
           "");
  runs.forEach((run, i) => {
    const button =
        element("button", {class: "run", "aria-pressed": "true", title: run.path}, swatch(i), run.name);
    button.addEventListener("click", e => toggle(i, e.shiftKey));
    byId("runs").append(button);
  });
  const wanted = spec => spec.wide || runs.some(run => has(run.training[spec.training], spec));
  charts = CHARTS.filter(wanted).map(spec => new Chart(spec));
  const control = (id, event, change) => byId(id).addEventListener(event, () => {
    change(byId(id));
    drawCharts();
  });
  control("axis", "change", e => {
    state.axis = e.value;
    state.zoom = state.cursor = null;
  });
  control("log-x", "change", e => {
    state.logX = e.checked;
  });
  control("log-y", "change", e => {
    state.logY = e.checked;
  });
  control("close-up", "change", e => {
    state.closeUp = e.checked;
  });
  control("smoothing", "input", e => {
    state.smoothing = +e.value;
    byId("smoothing-value").textContent = e.value;
  });
  byId("reset").addEventListener("click", () => setZoom(null));
  byId("keys").value = runs.length > 1 ? "differs" : "changed";
  byId("keys").querySelector("[value=differs]").hidden = runs.length < 2;
  byId("keys").addEventListener("change", showConfiguration);
  showResults();
  showRecall();
  showConfiguration();
  showSamples();
  drawCharts();
  let width = byId("charts").clientWidth;
  new ResizeObserver(() => {
    if (byId("charts").clientWidth === width) return;
    width = byId("charts").clientWidth;
    drawCharts();
  }).observe(byId("charts"));
  document.body.dataset.ready = "yes";
}
begin();
