// Numbers as text, scales, and curves as paths.

const withUnit = (value, base, units) => {
  let i = 0;
  for (let size = Math.abs(value); size >= base && i < units.length - 1; size /= base) ++i;
  return figure(value / base ** i, 3) + units[i];
};
const short = value =>
    Math.abs(value) < 10000 ? figure(value, 4) : withUnit(value, 1000, ["", "k", "M", "G", "T"]);
const memory = value => withUnit(value, 1024, [" B", " KiB", " MiB", " GiB", " TiB"]);
const precise = y => y === 0                 ? "0" :
    Math.abs(y) >= 1e6 || Math.abs(y) < 1e-4 ? y.toExponential(3) :
                                               y.toPrecision(4);
const duration = seconds => {
  const s = Math.round(seconds), two = n => String(n).padStart(2, "0");
  return s >= 3600 ? `${Math.floor(s / 3600)}h${two(Math.floor(s / 60) % 60)}m` :
      s >= 60 ? `${Math.floor(s / 60)}m${two(s % 60)}s` :
                `${figure(seconds, 2)}s`;
};

const isNumber = y => y !== null && y !== undefined && isFinite(y);
const has = (ys, spec) => ys.some(y => isNumber(y) && (!spec.unlessZero || y !== 0));

// Exponential moving average, without a bias towards the beginning.
function smoothed(ys, weight) {
  if (!weight) return ys;
  let sum = 0, total = 0;
  return ys.map(y => {
    if (!isNumber(y)) return null;
    sum = weight * sum + (1 - weight) * y;
    total = weight * total + (1 - weight);
    return sum / total;
  });
}

// A map from values to pixels, and back, with ticks on round numbers.
class Scale {
  constructor(low, high, from, to, log, roundSteps) {
    Object.assign(this, {low, high, from, to, log, roundSteps});
    this.f = log ? Math.log10 : v => v;
    this.a = (to - from) / (this.f(high) - this.f(low) || 1);
  }
  at(v) { return this.from + (this.f(v) - this.f(this.low)) * this.a; }
  value(pixel) {
    const v = (pixel - this.from) / this.a + this.f(this.low);
    return this.log ? 10 ** v : v;
  }
  ticks(count) {
    const ticks = [];
    if (this.log && this.high / this.low >= 20) {
      const first = Math.ceil(Math.log10(this.low) - 1e-9), last = Math.floor(Math.log10(this.high) + 1e-9);
      const every = Math.ceil((last - first + 1) / count);
      const factors = (last - first + 1) * 3 <= count ? [1, 2, 5] : [1];
      for (let e = first - 1; e <= last; e += every)
        for (const factor of factors)
          if (factor * 10 ** e >= this.low * 0.999 && factor * 10 ** e <= this.high * 1.001)
            ticks.push(factor * 10 ** e);
      return ticks;
    }
    const raw = (this.high - this.low) / count, power = 10 ** Math.floor(Math.log10(raw));
    const own = raw < this.roundSteps?.[0] ? [] : this.roundSteps || [];
    const step = [...own, power, 2 * power, 5 * power, 10 * power].find(s => s >= raw * 0.9999);
    for (let k = Math.ceil(this.low / step - 1e-6); k * step <= this.high + 1e-6 * step; ++k)
      ticks.push(+(k * step).toPrecision(12));
    return ticks;
  }
}

// Points as a path: where several share a column of pixels, the first, the least, the greatest and the last
// of them.
function pathOf(points) {
  let d = "", open = false, column = null;
  const flush = () => {
    if (!column) return;
    const kept = new Set([column.first, column.least, column.greatest, column.last]);
    for (const p of [...kept].sort((a, b) => a.i - b.i)) {
      d += `${open ? "L" : "M"}${p.x.toFixed(1)} ${p.y.toFixed(1)}`;
      open = true;
    }
    column = null;
  };
  for (const p of points) {
    if (p === null) {
      flush();
      open = false;
    } else if (column && Math.round(p.x) === column.pixel) {
      if (p.y < column.least.y) column.least = p;
      if (p.y > column.greatest.y) column.greatest = p;
      column.last = p;
    } else {
      flush();
      column = {pixel: Math.round(p.x), first: p, least: p, greatest: p, last: p};
    }
  }
  flush();
  return d;
}

// The index of the value nearest to x in rising values.
function nearest(xs, x) {
  let low = 0, high = xs.length - 1;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (xs[middle] < x)
      low = middle + 1;
    else
      high = middle;
  }
  return low > 0 && x - xs[low - 1] < xs[low] - x ? low - 1 : low;
}
