// Small tools: elements, numbers, axes and lines on a canvas.

// An element; names and values from files are set as text alone.
export function element(kind, properties = {}, children = []) {
  const made = Object.assign(document.createElement(kind), properties);
  made.append(...children);
  return made;
}

// An element of a picture.
export function svg(kind, attributes = {}, children = []) {
  const made = document.createElementNS('http://www.w3.org/2000/svg', kind);
  Object.entries(attributes).forEach(([name, value]) => made.setAttribute(name, value));
  made.append(...children);
  return made;
}

export function number(value) {
  if (value == null) return 'not finite';
  const size = Math.abs(value);
  if (Number.isInteger(value) && size < 1e9) return String(value);
  if (size !== 0 && (size >= 1e6 || size < 1e-3)) return value.toExponential(3).replace(/\.?0+e/, 'e');
  return String(Number(value.toPrecision(5)));
}

export function duration(seconds) {
  const sign = seconds < 0 ? '-' : '';
  const all = Math.abs(seconds);
  if (all < 60) return `${sign}${Number(all.toFixed(all < 10 ? 2 : 1))} s`;
  const [hours, minutes, rest] = [Math.floor(all / 3600), Math.floor(all / 60) % 60, Math.floor(all % 60)];
  const two = value => String(value).padStart(2, '0');
  return sign + (hours ? `${hours}:${two(minutes)}:${two(rest)}` : `${minutes}:${two(rest)}`);
}

export function abscissa(axis, value) {
  if (axis === 'time') return duration(value);
  return number(axis === 'step' && Math.abs(value) > 100 ? Math.round(value) : value);
}

// Round numbers between two ends.
export function ticks(from, to, most) {
  const span = to - from;
  if (!(span > 0)) return [from];
  const rough = span / Math.max(most, 1);
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map(factor => factor * power).find(step => span / step <= most);
  const first = Math.ceil(from / step - 1e-9);
  const last = Math.floor(to / step + 1e-9);
  return Array.from({ length: Math.min(last - first + 1, 50) }, (_, index) => (first + index) * step);
}

// Powers of ten, or round numbers where they are close together.
export function logTicks(from, to, most) {
  const [low, high] = [Math.ceil(Math.log10(from) - 1e-9), Math.floor(Math.log10(to) + 1e-9)];
  if (high - low < 1) return ticks(from, to, most).filter(value => value > 0);
  const every = Math.max(1, Math.ceil((high - low + 1) / most));
  const powers = [];
  for (let power = low; power <= high; power += every) powers.push(10 ** power);
  return powers;
}

// A canvas of its element's size in device pixels.
export function prepare(canvas) {
  const ratio = devicePixelRatio || 1;
  const [width, height] = [canvas.clientWidth, canvas.clientHeight];
  if (canvas.width !== Math.round(width * ratio)) canvas.width = Math.round(width * ratio);
  if (canvas.height !== Math.round(height * ratio)) canvas.height = Math.round(height * ratio);
  const pen = canvas.getContext('2d');
  pen.setTransform(ratio, 0, 0, ratio, 0, 0);
  pen.clearRect(0, 0, width, height);
  pen.font = '11px system-ui, sans-serif';
  return { pen, width, height };
}

export function theme() {
  const style = getComputedStyle(document.documentElement);
  const get = name => style.getPropertyValue(name).trim();
  const names = ['ink', 'soft', 'line', 'grid', 'panel', 'accent'];
  return Object.fromEntries(names.map(name => [name, get(`--${name}`)]));
}

// Numbers and lines along both axes; `frame` says where they are, `place` where a value is.
export function axes(pen, frame, marks, place, colours) {
  pen.lineWidth = 1;
  pen.strokeStyle = colours.grid;
  pen.fillStyle = colours.soft;
  pen.textAlign = 'right';
  pen.textBaseline = 'middle';
  // As many digits as tell neighbours apart.
  const step = marks.y.length > 1 ? Math.abs(marks.y[1] - marks.y[0]) : 0;
  const most = Math.max(...marks.y.map(Math.abs));
  const digits = step ? Math.min(Math.ceil(Math.log10(most / step)) + 1, 17) : 1;
  const label = marks.text ?? (mark => (digits > 5 ? mark.toPrecision(digits) : number(mark)));
  for (const mark of marks.y) {
    const y = Math.round(place.y(mark)) + 0.5;
    pen.beginPath();
    pen.moveTo(frame.left, y);
    pen.lineTo(frame.right, y);
    pen.stroke();
    pen.fillText(label(mark), frame.left - 5, y);
  }
  pen.textAlign = 'center';
  pen.textBaseline = 'top';
  for (const mark of marks.x) {
    const x = place.x(mark);
    pen.beginPath();
    pen.moveTo(x, frame.bottom);
    pen.lineTo(x, frame.bottom + 4);
    pen.stroke();
    const text = abscissa(marks.axis, mark);
    const half = pen.measureText(text).width / 2;
    pen.fillText(text, Math.min(Math.max(x, frame.left - 20 + half), frame.right + 6 - half), frame.bottom + 6);
  }
  pen.strokeStyle = colours.line;
  pen.strokeRect(frame.left + 0.5, frame.top + 0.5, frame.right - frame.left - 1, frame.bottom - frame.top - 1);
}

// A line through points; values that are missing or cannot be placed leave a gap.
export function line(pen, xs, ys, place) {
  let open = false;
  let single = null;
  pen.beginPath();
  for (let index = 0; index < xs.length; index += 1) {
    const y = ys[index] == null ? NaN : place.y(ys[index]);
    if (!Number.isFinite(y)) {
      open = false;
      continue;
    }
    const x = place.x(xs[index]);
    if (open) {
      pen.lineTo(x, y);
      single = null;
    } else {
      if (single) dot(pen, single);
      pen.moveTo(x, y);
      single = [x, y];
    }
    open = true;
  }
  if (single) dot(pen, single);
  pen.stroke();
}

function dot(pen, [x, y]) {
  pen.moveTo(x + 2, y);
  pen.arc(x, y, 2, 0, 2 * Math.PI);
  pen.moveTo(x, y);
}

// Counts between `edges` as counts in equal bins; a bucket is spread evenly over the bins that it touches.
function rebin(edges, counts, low, high, bins) {
  const width = (high - low) / bins;
  const found = new Array(bins).fill(0);
  counts.forEach((count, index) => {
    const [from, to] = [edges[index], edges[index + 1]];
    const first = Math.min(Math.max(Math.floor((from - low) / width), 0), bins - 1);
    const last = Math.min(Math.max(Math.floor((to - low) / width), first), bins - 1);
    for (let bin = first; bin <= last; bin += 1) {
      const shared = Math.min(to, low + (bin + 1) * width) - Math.max(from, low + bin * width);
      found[bin] += first === last || !(to > from) ? count / (last - first + 1) : (count * Math.max(shared, 0)) / (to - from);
    }
  });
  return found;
}

// Histograms one behind the other, the oldest at the back; each is as high as the others.
export function ridges(canvas, data, fill) {
  const { pen, width, height } = prepare(canvas);
  const colours = theme();
  const all = data.edges.flat().filter(Number.isFinite);
  if (!all.length) return;
  let [low, high] = [all.reduce((a, b) => Math.min(a, b)), all.reduce((a, b) => Math.max(a, b))];
  if (!(high > low)) [low, high] = [low - 0.5, high + 0.5];
  const frame = { left: 10, right: width - 52, top: 46, bottom: height - 22 };
  const bins = Math.max(20, Math.min(60, Math.floor((frame.right - frame.left) / 5)));
  const x = value => frame.left + ((value - low) / (high - low)) * (frame.right - frame.left);
  const rows = data.steps.length;
  const baseOf = row => (rows > 1 ? frame.top + ((frame.bottom - frame.top) * row) / (rows - 1) : frame.bottom);
  data.steps.forEach((step, row) => {
    const base = baseOf(row);
    const counts = rebin(data.edges[row], data.counts[row], low, high, bins);
    const most = Math.max(...counts, 1e-300);
    pen.beginPath();
    pen.moveTo(frame.left, base);
    counts.forEach((count, bin) => pen.lineTo(x(low + ((bin + 0.5) / bins) * (high - low)), base - (count / most) * 40));
    pen.lineTo(frame.right, base);
    pen.fillStyle = colours.panel;
    pen.fill();
    pen.globalAlpha = 0.2 + (0.5 * (row + 1)) / rows;
    pen.fillStyle = fill;
    pen.fill();
    pen.globalAlpha = 1;
    pen.strokeStyle = fill;
    pen.lineWidth = 0.8;
    pen.stroke();
  });
  pen.fillStyle = colours.soft;
  pen.textBaseline = 'middle';
  pen.textAlign = 'left';
  const every = Math.max(1, Math.ceil(rows / 8));
  data.steps.forEach((step, row) => {
    const isLast = row === rows - 1;
    if (isLast || (row % every === 0 && rows - 1 - row >= every)) pen.fillText(number(step), frame.right + 5, baseOf(row));
  });
  pen.textAlign = 'center';
  pen.textBaseline = 'top';
  for (const mark of ticks(low, high, Math.max(2, Math.floor(width / 80)))) pen.fillText(number(mark), x(mark), frame.bottom + 6);
}
