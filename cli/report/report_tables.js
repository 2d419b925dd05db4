// Results, settings and samples.

function row(cells, header = false) {
  return element(
      "tr", {},
      ...cells.map(([cell, kind = ""]) => element(header ? "th" : "td", kind ? {class: kind} : {}, cell)));
}
const last = ys => ys.filter(isNumber).at(-1) ?? null;
const median = ys => {
  const sorted = ys.filter(isNumber).sort((a, b) => a - b);
  return sorted.length ? sorted[sorted.length >> 1] : null;
};
const orDash = (value, text) => isNumber(value) ? text(value) : "–";

function showResults() {
  const numbers = [
    "steps", "training time", "best validation", "at step", "last validation", "last training", "rows",
    "span", "bytes/s", "memory", "parameters"
  ];
  byId("results").append(row([["run"], ["kind"], ...numbers.map(name => [name, "number"])], true));
  const best = Math.min(...runs.map(run => run.best ? run.best.valid_bpb : Infinity));
  runs.forEach((run, i) => {
    const {training: t, validation: v} = run, bits = y => y.toFixed(4);
    byId("results").append(row([
      [runLabel(i)], [run.kind],
      [run.steps < run.steps_planned ? `${run.steps} of ${run.steps_planned}` : String(run.steps), "number"],
      [orDash(last(t.seconds), duration), "number"],
      [
        run.best ? bits(run.best.valid_bpb) : "–",
        run.best && runs.length > 1 && run.best.valid_bpb === best ? "number best" : "number"
      ],
      [run.best ? String(run.best.step) : "–", "number"], [orDash(last(v.valid_bpb), bits), "number"],
      [orDash(last(t.train_bpb), bits), "number"],
      [orDash(last(v.valid_mean_rows) ?? last(t.mean_rows), y => figure(y)), "number"],
      [orDash(last(v.valid_mean_span) ?? last(t.mean_span), y => figure(y)), "number"],
      [orDash(median(t.tokens_per_s), short), "number"], [orDash(last(t.peak_bytes), memory), "number"],
      [orDash(run.sample?.parameters, n => n.toLocaleString("en")), "number"]
    ]));
  });
}

function showRecall() {
  const asked = runs.filter(run => run.recall.length);
  byId("recall-section").hidden = !asked.length;
  const ranges = [...new Set(asked.flatMap(run => run.recall.map(s => `${s.nearest} – ${s.farthest}`)))];
  byId("recall").append(row([["run"], ...ranges.map(range => [range, "number"])], true));
  runs.forEach((run, i) => {
    if (!run.recall.length) return;
    const scores = new Map(run.recall.map(
        s => [`${s.nearest} – ${s.farthest}`, s.asked ? `${(100 * s.right / s.asked).toFixed(1)} %` : "–"]));
    byId("recall").append(row([[runLabel(i)], ...ranges.map(range => [scores.get(range) ?? "–", "number"])]));
  });
}

function showConfiguration() {
  const choice = byId("keys").value, table = byId("configuration");
  table.replaceChildren(row([["key"], ...runs.map((_, i) => [runLabel(i)]), ["default", "default"]], true));
  let count = 0;
  for (const key of data.configuration) {
    const differs = key.values.some(value => value !== key.values[0]),
          changed = key.values.some(value => value !== key.default);
    if (choice === "differs" && !differs || choice === "changed" && !changed) continue;
    const line = row([
      [key.key], ...key.values.map(value => [value, value === key.default ? "default" : ""]),
      [key.default, "default"]
    ]);
    line.firstChild.title = key.meaning;
    if (differs) line.className = "differs";
    table.append(line);
    ++count;
  }
  table.hidden = !count;
  byId("no-keys").hidden = count > 0;
  byId("no-keys").textContent =
      choice === "differs" ? "The runs have the same settings." : "Every key has its default.";
}

function showSamples() {
  runs.forEach((run, i) => {
    if (!run.sample) return;
    byId("samples-section").hidden = false;
    const text = run.sample.error ? element("span", {class: "muted"}, `no sample: ${run.sample.error}`) :
                                    element("pre", {tabindex: "0"}, run.sample.text);
    byId("samples").append(element(
        "div", {class: "sample"},
        element("p", {}, runLabel(i), element("span", {class: "muted"}, run.sample.checkpoint ?? "")), text));
  });
}
