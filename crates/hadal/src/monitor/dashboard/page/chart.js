// A chart of one or two curves of each chosen run: fetched when it is seen, redrawn when it changes.

import { abscissa, axes, element, line, logTicks, number, prepare, theme, ticks } from './draw.js';
import { chosen, colour, groups, runs } from './runs.js';
import { UNITS } from './units.js';

const MOST_POINTS = 60000;
const MOST_IN_TIP = 8;
const MOST_IN_REQUEST = 800;
// Dashes, faint lines and wide lines are for charts that are not full.
const MOST_DASHED = 60;

export class Chart {
  // `unit` is one of `UNITS`; `tags` are the names of curves; where there are two, the first is of training and dashed. `view` holds
  // what all charts share.
  constructor(title, unit, tags, view) {
    Object.assign(this, { title, unit, tags, view, range: null, seen: false, stale: true, data: new Map(), means: [], cursor: null });
    this.canvas = element('canvas');
    // The cursor has a canvas of its own, so that moving it does not draw all curves anew.
    this.over = element('canvas', { className: 'over' });
    this.shown = [];
    this.tip = element('div', { className: 'tip', hidden: true });
    this.plot = element('div', { className: 'plot', tabIndex: 0 }, [this.canvas, this.over, this.tip]);
    this.plot.setAttribute('role', 'application');
    this.plot.setAttribute('aria-label', `${title}, chart. Arrow keys read values, plus and minus zoom, 0 shows all.`);
    this.spoken = element('p', { className: 'skip' });
    this.spoken.setAttribute('aria-live', 'polite');
    this.reset = element('button', { type: 'button', textContent: 'Show all', hidden: true });
    this.reset.addEventListener('click', () => this.zoom(null));
    this.toggle = element('button', { type: 'button', textContent: 'Table' });
    this.toggle.setAttribute('aria-pressed', 'false');
    this.toggle.setAttribute('aria-label', `${title} as a table`);
    this.toggle.addEventListener('click', () => this.showTable(this.table.hidden));
    this.table = element('div', { className: 'scroll', hidden: true });
    this.notes = element('div');
    const words = '– – training  —— validation';
    const legend = tags.length > 1 ? [element('span', { className: 'legend', textContent: words })] : [];
    const heading = element('h3', { textContent: title });
    const caption = element('figcaption', {}, [heading, ...legend, this.reset, this.toggle]);
    this.element = element('figure', {}, [caption, this.plot, this.table, this.notes, this.spoken]);
    this.listen();
  }

  listen() {
    const resize = new ResizeObserver(() => this.draw());
    resize.observe(this.plot);
    const watch = new IntersectionObserver(entries => {
      this.seen = entries.at(-1).isIntersecting;
      if (this.seen && this.stale) this.fetch();
    }, { rootMargin: '200px' });
    watch.observe(this.element);
    this.leave = () => { resize.disconnect(); watch.disconnect(); };
    let start = null;
    const at = event => event.clientX - this.plot.getBoundingClientRect().left;
    this.plot.addEventListener('pointerdown', event => {
      start = at(event);
      this.plot.setPointerCapture(event.pointerId);
    });
    this.plot.addEventListener('pointermove', event => {
      this.pointer = event.clientY - this.plot.getBoundingClientRect().top;
      this.cursor = at(event);
      this.selection = start == null ? null : [start, this.cursor];
      this.point();
    });
    this.plot.addEventListener('pointerup', event => {
      const end = at(event);
      if (start != null && Math.abs(end - start) > 8 && this.place) {
        this.zoom([start, end].sort((a, b) => a - b).map(x => this.place.value(x)));
      }
      start = null;
      this.selection = null;
    });
    const away = () => {
      start = null;
      Object.assign(this, { selection: null, cursor: null });
      this.point();
    };
    this.plot.addEventListener('pointercancel', away);
    this.plot.addEventListener('pointerleave', away);
    this.plot.addEventListener('blur', away);
    this.plot.addEventListener('dblclick', () => this.zoom(null));
    this.plot.addEventListener('keydown', event => this.key(event));
  }

  key(event) {
    if (!this.place || event.ctrlKey || event.metaKey || event.altKey) return;
    const { left, right } = this.place.frame;
    const [from, to] = [left, right].map(x => this.place.value(x));
    const here = this.cursor ?? (left + right) / 2;
    const about = (factor, value) => [value - (value - from) * factor, value + (to - value) * factor];
    const step = event.shiftKey ? 40 : 8;
    const moves = { ArrowLeft: here - step, ArrowRight: here + step, Home: left, End: right };
    if (event.key in moves) {
      this.cursor = Math.min(Math.max(moves[event.key], left), right);
      this.pointer = null;
      this.drawCursor();
      this.spoken.textContent = this.tip.innerText.replaceAll('\n', ', ');
    } else if (event.key === '+' || event.key === '=') {
      this.zoom(about(0.5, this.place.value(here)));
    } else if (event.key === '-') {
      this.zoom(about(2, this.place.value(here)));
    } else if (event.key === '0' || event.key === 'Escape') {
      this.zoom(null);
    } else {
      return;
    }
    event.preventDefault();
  }

  zoom(range) {
    this.range = range;
    this.reset.hidden = !range;
    this.fetch();
  }

  // Something has changed: of some runs, or of everything.
  renew(changed = null) {
    if (changed && !changed.some(id => chosen.has(id))) return;
    this.changed = this.stale ? this.changed : [];
    this.changed = changed && this.changed ? [...this.changed, ...changed] : null;
    this.stale = true;
    if (this.seen) this.fetch();
  }

  async fetch() {
    if (this.busy) {
      this.again = true;
      return;
    }
    const { x, weight, group } = this.view;
    const ids = group ? [] : [...chosen].filter(id => !this.changed || this.changed.includes(id));
    const [changed, sets] = [this.changed, group ? groups(group) : []];
    Object.assign(this, { busy: true, stale: false, changed: null });
    const lines = Math.max(1, group ? sets.length : chosen.size) * this.tags.length;
    const buckets = Math.round(Math.max(lines > 200 ? 24 : 40, Math.min(this.plot.clientWidth || 400, MOST_POINTS / 2 / lines)));
    try {
      const means = [];
      const fresh = new Map(changed ? this.data : []);
      for (const tag of this.tags) {
        for (let first = 0; first < Math.max(ids.length, 1); first += MOST_IN_REQUEST) {
          const some = ids.slice(first, first + MOST_IN_REQUEST);
          const query = new URLSearchParams({ tag, x, weight, buckets, runs: some.join(',') });
          query.set('groups', sets.map(set => set.ids.join(',')).join(';'));
          if (this.range) this.range.forEach((end, index) => query.set(['from', 'to'][index], end));
          const answer = await this.view.get(`/api/scalars?${query}`);
          if (!answer) return;
          for (const curve of answer.curves) fresh.set(`${tag}\n${curve.run}`, { ...curve, tag });
          means.push(...answer.groups.map((mean, index) => ({ ...mean, tag, index, label: sets[index].label })));
        }
      }
      Object.assign(this, { data: fresh, means });
      this.draw();
    } finally {
      this.busy = false;
      if (this.again) {
        this.again = false;
        this.fetch();
      }
    }
  }

  // What is drawn: of each line its name, colour, points, and what is drawn faintly.
  lines() {
    const dashed = tag => this.tags.length > 1 && tag === this.tags[0];
    const suffix = tag => (this.tags.length > 1 ? ` (${dashed(tag) ? 'training' : 'validation'})` : '');
    if (this.view.group) {
      return this.means.filter(mean => mean.x.length).map(mean => ({
        name: mean.label + suffix(mean.tag), colour: colour(mean.index), dashed: dashed(mean.tag), axis: this.view.x,
        x: mean.x, y: mean.mean, spread: mean.std, count: mean.count, marks: [], bad: 0,
      }));
    }
    const shown = [...this.data.values()].filter(curve => chosen.has(curve.run) && runs.has(curve.run));
    return shown.map(curve => {
      const { x, y } = curve.smoothed ?? curve.points;
      return {
        name: runs.get(curve.run).name + suffix(curve.tag),
        colour: colour(curve.run), dashed: dashed(curve.tag), axis: curve.axis,
        x, y, faint: curve.smoothed ? curve.points : null,
        marks: curve.not_finite, bad: curve.not_finite_count,
      };
    });
  }

  // Draws with the next frame, once, however often it is asked.
  draw() {
    this.dirty = true;
    this.point();
  }

  point() {
    this.frame ??= requestAnimationFrame(() => {
      this.frame = null;
      if (this.dirty) this.paint();
      this.drawCursor();
    });
  }

  paint() {
    this.dirty = false;
    const lines = this.lines();
    this.shown = lines;
    this.describe(lines);
    if (!this.plot.clientWidth) return;
    const { pen, width, height } = prepare(this.canvas);
    const colours = theme();
    const log = this.view.log;
    const usable = value => value != null && (!log || value > 0);
    let [left, right, low, high] = [Infinity, -Infinity, Infinity, -Infinity];
    for (const one of lines) {
      for (let index = 0; index < one.x.length; index += 1) {
        const x = one.x[index];
        if (this.range && (x < this.range[0] || x > this.range[1])) continue;
        left = Math.min(left, x);
        right = Math.max(right, x);
        const spread = one.spread?.[index] ?? 0;
        for (const y of spread ? [one.y[index] - spread, one.y[index] + spread] : [one.y[index]]) {
          if (usable(y)) [low, high] = [Math.min(low, y), Math.max(high, y)];
        }
      }
    }
    if (this.range) [left, right] = this.range;
    const axis = lines[0]?.axis ?? this.view.x;
    if (!(right >= left) || !(high >= low)) {
      pen.fillStyle = colours.soft;
      pen.textAlign = 'center';
      pen.fillText(lines.length ? 'no values here that can be drawn' : 'no values of the chosen runs', width / 2, height / 2);
      this.place = null;
      return;
    }
    if (right === left) [left, right] = [left - 0.5, right + 0.5];
    const forth = log ? Math.log10 : value => value;
    const back = log ? value => 10 ** value : value => value;
    let [bottom, top] = [forth(low), forth(high)];
    const isFlat = top - bottom <= 1e-12 * Math.max(Math.abs(top), Math.abs(bottom));
    const margin = isFlat ? Math.abs(top) * 0.1 || 0.5 : (top - bottom) * 0.06;
    [bottom, top] = [bottom - margin, top + margin];
    const frame = { left: 52, right: width - 12, top: 8, bottom: height - 24 };
    const place = {
      frame,
      x: value => frame.left + ((value - left) / (right - left)) * (frame.right - frame.left),
      y: value => (usable(value) ? frame.bottom - ((forth(value) - bottom) / (top - bottom)) * (frame.bottom - frame.top) : NaN),
      value: x => left + ((x - frame.left) / (frame.right - frame.left)) * (right - left),
    };
    this.place = place;
    const round = this.unit.round(top);
    const marks = {
      axis,
      x: ticks(left, right, Math.max(2, Math.floor(width / 70))),
      y: log ? logTicks(back(bottom), back(top), 6) : ticks(bottom / round, top / round, 5).map(mark => mark * round),
      text: this.unit === UNITS.plain ? null : this.unit.text,
    };
    axes(pen, frame, marks, place, colours);
    pen.save();
    pen.beginPath();
    pen.rect(frame.left, frame.top, frame.right - frame.left, frame.bottom - frame.top);
    pen.clip();
    const isFull = lines.length > MOST_DASHED;
    for (const one of lines) this.drawLine(pen, one, place, low, isFull);
    pen.restore();
  }

  drawLine(pen, one, place, low, isFull) {
    const style = isFull ? { lineWidth: 1, lineJoin: 'bevel' } : { lineWidth: 1.6, lineJoin: 'round' };
    Object.assign(pen, { strokeStyle: one.colour, fillStyle: one.colour, ...style });
    if (one.spread) {
      const least = this.view.log ? low : -Infinity;
      const height = (index, sign) => place.y(Math.max(one.y[index] + sign * one.spread[index], least));
      const edge = sign => one.x.map((x, index) => [place.x(x), height(index, sign)]);
      const around = [...edge(1), ...edge(-1).reverse()].filter(point => point.every(Number.isFinite));
      pen.globalAlpha = 0.18;
      pen.beginPath();
      around.forEach(point => pen.lineTo(...point));
      pen.fill();
    }
    if (one.faint && !isFull) {
      pen.globalAlpha = 0.3;
      line(pen, one.faint.x, one.faint.y, place);
    }
    pen.globalAlpha = isFull && one.dashed ? 0.4 : 1;
    pen.setLineDash(one.dashed && !isFull ? [5, 4] : []);
    line(pen, one.x, one.y, place);
    pen.setLineDash([]);
    pen.globalAlpha = 1;
    for (const mark of one.marks) {
      const x = place.x(mark);
      pen.beginPath();
      pen.moveTo(x - 5, place.frame.top + 9);
      pen.lineTo(x + 5, place.frame.top + 9);
      pen.lineTo(x, place.frame.top + 1);
      pen.fill();
    }
  }

  // The values nearest to the cursor.
  drawCursor() {
    const { place, shown: lines } = this;
    this.tip.hidden = this.cursor == null || !place;
    const isClear = this.cursor == null && !this.selection;
    if (!this.plot.clientWidth || (isClear && this.wasClear)) return;
    const { pen } = prepare(this.over);
    this.wasClear = isClear;
    if (!place) return;
    const colours = theme();
    const axis = lines[0]?.axis ?? this.view.x;
    if (this.selection) {
      pen.globalAlpha = 0.15;
      pen.fillStyle = colours.accent;
      const [a, b] = this.selection;
      pen.fillRect(Math.min(a, b), place.frame.top, Math.abs(b - a), place.frame.bottom - place.frame.top);
      pen.globalAlpha = 1;
    }
    if (this.cursor == null) return;
    const x = Math.min(Math.max(this.cursor, place.frame.left), place.frame.right);
    const found = lines.map(one => ({ one, index: nearest(one.x, place.value(x)) })).filter(hit => hit.index != null);
    pen.strokeStyle = colours.soft;
    pen.lineWidth = 1;
    pen.beginPath();
    pen.moveTo(x, place.frame.top);
    pen.lineTo(x, place.frame.bottom);
    pen.stroke();
    const height = hit => place.y(hit.one.y[hit.index]);
    const away = hit => Math.abs((height(hit) || 0) - (this.pointer ?? height(hit)));
    const near = found.sort((a, b) => away(a) - away(b)).slice(0, MOST_IN_TIP);
    near.sort((a, b) => (height(a) || 0) - (height(b) || 0));
    for (const hit of near) {
      if (!Number.isFinite(height(hit))) continue;
      pen.fillStyle = hit.one.colour;
      pen.beginPath();
      pen.arc(place.x(hit.one.x[hit.index]), height(hit), 3, 0, 2 * Math.PI);
      pen.fill();
    }
    const row = ({ one, index }) => {
      const swatch = element('span', { className: 'swatch' });
      swatch.style.setProperty('background', one.colour);
      const spread = one.count?.[index] > 1 ? ` ± ${this.unit.text(Number(one.spread[index].toPrecision(2)))}` : '';
      const value = element('b', { textContent: this.unit.text(one.y[index]) + spread });
      const where = element('span', { className: 'where', textContent: abscissa(one.axis, one.x[index]) });
      return element('div', {}, [swatch, element('span', { className: 'name', textContent: one.name }), value, where]);
    };
    const more = found.length - near.length;
    const rest = more > 0 ? [element('div', { textContent: `and ${more} more` })] : [];
    const heading = element('div', { textContent: `${axis} ${abscissa(axis, place.value(x))}` });
    this.tip.replaceChildren(heading, ...near.map(row), ...rest);
    const isRight = x > this.plot.clientWidth / 2;
    // Beside the cursor or, where there is little room, below the chart.
    const isNarrow = this.plot.clientWidth < 420;
    const [left, right] = isRight ? ['auto', `${this.plot.clientWidth - x + 12}px`] : [`${x + 12}px`, 'auto'];
    this.tip.style.setProperty('left', isNarrow ? '0' : left);
    this.tip.style.setProperty('right', isNarrow ? '0' : right);
    this.tip.style.setProperty('top', isNarrow ? '100%' : '14px');
  }

  // What a picture does not say.
  describe(lines) {
    const notes = [];
    const some = names => (names.length > 3 ? `${names.slice(0, 3).join(', ')} and ${names.length - 3} more` : names.join(', '));
    for (const one of lines.filter(one => one.bad)) {
      notes.push(`${one.name}: ${one.bad} ${one.bad === 1 ? 'value is' : 'values are'} NaN or infinite (▲)`);
    }
    const other = lines.filter(one => one.axis !== this.view.x);
    if (other.length) {
      const why = `by ${other[0].axis}, since the ${this.view.x} is not recorded`;
      notes.push(`${why}: ${some(other.map(one => one.name))}`);
    }
    const below = this.view.log ? lines.filter(one => one.y.some(value => value != null && value <= 0)) : [];
    if (below.length) notes.push(`values of 0 and below are not on a logarithmic scale: ${some(below.map(one => one.name))}`);
    const text = notes.slice(0, 5);
    if (notes.length > 5) text.push(`and ${notes.length - 5} more notes`);
    this.notes.replaceChildren(...text.map(textContent => element('p', { className: 'note', textContent })));
    if (!this.table.hidden) this.fillTable(lines);
  }

  showTable(show) {
    this.table.hidden = !show;
    this.plot.hidden = show;
    this.toggle.setAttribute('aria-pressed', String(show));
    if (show) this.fillTable(this.lines());
    else this.draw();
  }

  // The same as numbers: of the part that is seen, the first, the lowest, the highest and the last value of each line.
  fillTable(lines) {
    const cells = one => {
      const points = one.x.map((x, index) => [x, one.y[index]]).filter(([x, y]) => {
        return y != null && (!this.range || (x >= this.range[0] && x <= this.range[1]));
      });
      if (!points.length) return ['', '', '', ''];
      const lowest = points.reduce((a, b) => (b[1] < a[1] ? b : a));
      const highest = points.reduce((a, b) => (b[1] > a[1] ? b : a));
      return [points[0], lowest, highest, points.at(-1)].map(([x, y]) => `${this.unit.text(y)} at ${abscissa(one.axis, x)}`);
    };
    const heads = ['run', 'first', 'lowest', 'highest', 'last'].map(text => element('th', { textContent: text, scope: 'col' }));
    const rows = lines.map(one => {
      const numbers = cells(one).map(text => element('td', { className: 'number', textContent: text }));
      return element('tr', {}, [element('th', { textContent: one.name, scope: 'row' }), ...numbers]);
    });
    const caption = element('caption', { className: 'note', textContent: `${this.title} by ${this.view.x}` });
    this.table.replaceChildren(element('table', {}, [
      caption, element('thead', {}, [element('tr', {}, heads)]), element('tbody', {}, rows),
    ]));
  }
}

// The place of the number nearest to `x` in a rising list.
function nearest(list, x) {
  if (!list.length) return null;
  let [from, to] = [0, list.length - 1];
  while (from < to) {
    const middle = (from + to) >> 1;
    if (list[middle] < x) from = middle + 1;
    else to = middle;
  }
  return from > 0 && x - list[from - 1] < list[from] - x ? from - 1 : from;
}
