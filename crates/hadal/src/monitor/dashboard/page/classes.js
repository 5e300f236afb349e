// Precision, recall and calibration of each class of one run, as lines in a square from 0 to 1.

import { element, number, svg } from './draw.js';
import { Picture } from './pictures.js';
import { colour } from './runs.js';

const SIDE = { width: 380, height: 320, left: 44, right: 368, top: 8, bottom: 276 };
// Classes have one of eight colours, and another dash for each further eight.
const COLOURS = 8;
const DASHES = ['', '7 3', '2 3', '9 3 2 3'];
const MARKS = [0, 0.2, 0.4, 0.6, 0.8, 1];

const x = value => SIDE.left + value * (SIDE.right - SIDE.left);
const y = value => SIDE.bottom - value * (SIDE.bottom - SIDE.top);
const share = value => `${number(Number((100 * value).toPrecision(4)))}%`;

class Classes extends Picture {
  // `names` are those of the axes.
  constructor(tag, view, title, names) {
    super(tag, view, tag === 'precision_recall' ? title : `${tag}: ${title}`);
    this.names = names;
    this.marked = null;
    this.toggle = element('button', { type: 'button', textContent: 'Table' });
    this.toggle.setAttribute('aria-pressed', 'false');
    this.toggle.setAttribute('aria-label', `${this.title} as a table`);
    this.toggle.addEventListener('click', () => {
      this.isTable = !this.isTable;
      this.toggle.setAttribute('aria-pressed', String(this.isTable));
      this.draw();
    });
    this.element.firstChild.append(this.toggle);
    this.plot = element('div', { className: 'square' });
    this.legend = element('ul', { className: 'classes' });
    this.table = element('div', { className: 'scroll', tabIndex: 0 });
    this.words = element('p', { className: 'note' });
    this.inner.append(this.plot, this.legend, this.table, this.words);
  }

  async fetch() {
    this.data = await this.view.get(`/api/pr_curves?${this.query()}`);
    this.draw();
  }

  draw() {
    if (!this.data) return;
    for (const part of [this.plot, this.legend]) part.hidden = this.isTable;
    this.table.hidden = !this.isTable;
    this.words.textContent = `validation data at step ${this.data[0].step}${this.remark()}`;
    if (this.isTable) {
      this.fillTable();
      return;
    }
    const groups = this.data.map((curve, index) => {
      const paint = { stroke: colour(index % COLOURS), fill: colour(index % COLOURS) };
      const dash = DASHES[Math.floor(index / COLOURS) % DASHES.length];
      const title = svg('title', {}, [`${curve.class}: ${this.summary(curve)}`]);
      return svg('g', { ...paint, 'stroke-dasharray': dash, class: 'class' }, [title, ...this.shapes(curve)]);
    });
    const label = `${this.title}: ${this.names[1]} by ${this.names[0]}. ${this.data.map(curve => `${curve.class}: ${this.summary(curve)}`).join('; ')}`;
    const picture = svg('svg', { viewBox: `0 0 ${SIDE.width} ${SIDE.height}`, role: 'img', 'aria-label': label }, [
      ...this.axes(), ...groups,
    ]);
    this.plot.replaceChildren(picture);
    this.groups = groups;
    this.offerClasses();
  }

  axes() {
    const line = (x1, y1, x2, y2, kind) => svg('line', { x1, y1, x2, y2, class: kind });
    const text = (at, up, words, more = {}) => svg('text', { x: at, y: up, ...more }, [words]);
    const lines = MARKS.flatMap(mark => [
      line(x(mark), SIDE.top, x(mark), SIDE.bottom, 'grid'), line(SIDE.left, y(mark), SIDE.right, y(mark), 'grid'),
      text(x(mark), SIDE.bottom + 14, String(mark), { 'text-anchor': 'middle' }),
      text(SIDE.left - 6, y(mark) + 4, String(mark), { 'text-anchor': 'end' }),
    ]);
    const middle = [(SIDE.left + SIDE.right) / 2, (SIDE.top + SIDE.bottom) / 2];
    const turned = { 'text-anchor': 'middle', transform: `rotate(-90 11 ${middle[1]})` };
    return [
      ...lines,
      text(middle[0], SIDE.height - 8, this.names[0], { 'text-anchor': 'middle' }),
      text(11, middle[1], this.names[1], turned),
      ...this.reference(),
    ];
  }

  reference() {
    return [];
  }

  // The names of the classes; a class that is pressed, or pointed at, stands out.
  offerClasses() {
    // What is the same keeps the focus.
    const words = this.data.map(curve => `${curve.class} ${this.summary(curve)}`);
    if (this.legend.children.length === this.data.length) {
      this.data.forEach((curve, index) => this.fillClass(this.legend.children[index].firstChild, index));
    } else {
      this.legend.replaceChildren(...words.map((_, index) => {
        const button = element('button', { type: 'button' });
        button.addEventListener('click', () => {
          this.marked = this.marked === index ? null : index;
          this.mark(this.marked);
        });
        for (const event of ['pointerenter', 'focus']) button.addEventListener(event, () => this.mark(index));
        for (const event of ['pointerleave', 'blur']) button.addEventListener(event, () => this.mark(this.marked));
        this.fillClass(button, index);
        return element('li', {}, [button]);
      }));
    }
    this.mark(this.marked);
  }

  fillClass(button, index) {
    const curve = this.data[index];
    const dash = DASHES[Math.floor(index / COLOURS) % DASHES.length];
    const sample = svg('svg', { width: 26, height: 10, 'aria-hidden': 'true' }, [
      svg('line', { x1: 1, y1: 5, x2: 25, y2: 5, stroke: colour(index % COLOURS), 'stroke-width': 2.5, 'stroke-dasharray': dash }),
    ]);
    button.replaceChildren(sample, element('b', { textContent: curve.class }), ` ${this.summary(curve)}`);
  }

  mark(index) {
    this.groups?.forEach((group, own) => group.classList.toggle('faint', index != null && own !== index));
    [...this.legend.children].forEach((item, own) => item.firstChild.setAttribute('aria-pressed', String(own === this.marked)));
  }

  fillTable() {
    const { heads, rows } = this.numbers();
    const head = element('tr', {}, heads.map(textContent => element('th', { textContent, scope: 'col' })));
    const body = rows.map(([name, ...cells]) => element('tr', {}, [
      element('th', { textContent: name, scope: 'row' }),
      ...cells.map(textContent => element('td', { className: 'number', textContent })),
    ]));
    this.table.replaceChildren(element('table', {}, [element('thead', {}, [head]), element('tbody', {}, body)]));
  }
}

export class PrecisionRecall extends Classes {
  constructor(tag, view) {
    super(tag, view, 'precision and recall', ['recall', 'precision']);
  }

  remark() {
    return '; AP is the average precision';
  }

  summary(curve) {
    return `AP ${number(Number(curve.average_precision.toPrecision(3)))}`;
  }

  shapes({ recall, precision }) {
    const points = recall.map((own, index) => `${x(own).toFixed(1)},${y(precision[index]).toFixed(1)}`);
    const [first] = points;
    const dot = first && points.every(point => point === first);
    const [cx, cy] = first?.split(',') ?? [];
    return dot ? [svg('circle', { cx, cy, r: 3 })] : [svg('polyline', { points: points.join(' '), fill: 'none' })];
  }

  numbers() {
    // The last threshold that is not above, as thresholds fall.
    const at = (curve, threshold) => curve.threshold.findIndex(own => own <= threshold);
    const cell = (list, index) => (index < 0 ? '' : share(list[index]));
    const heads = ['class', 'average precision', ...[0.25, 0.5, 0.75].flatMap(at => [`precision from ${at}`, `recall from ${at}`])];
    const rows = this.data.map(curve => [
      curve.class, share(curve.average_precision),
      ...[0.25, 0.5, 0.75].flatMap(threshold => {
        const index = at(curve, threshold);
        return [cell(curve.precision, index), cell(curve.recall, index)];
      }),
    ]);
    return { heads, rows };
  }
}

export class Calibration extends Classes {
  constructor(tag, view) {
    super(tag, view, 'calibration', ['mean predicted probability', 'share of positives']);
  }

  remark() {
    return `; probabilities are known to ±${number(Number(this.data[0].calibration.precision.toPrecision(2)))}`;
  }

  reference() {
    return [svg('line', { x1: x(0), y1: y(0), x2: x(1), y2: y(1), class: 'reference' })];
  }

  // How far the shares are from the probabilities, on average over samples.
  summary({ calibration: { predicted, observed, count } }) {
    const all = count.reduce((a, b) => a + b, 0);
    const error = predicted.reduce((sum, own, index) => sum + Math.abs(own - observed[index]) * count[index], 0) / all;
    return `error ${share(Number(error.toPrecision(2)))}`;
  }

  shapes({ calibration: { predicted, observed } }) {
    const points = predicted.map((own, index) => [x(own).toFixed(1), y(observed[index]).toFixed(1)]);
    const line = svg('polyline', { points: points.map(point => point.join(',')).join(' '), fill: 'none' });
    return [line, ...points.map(([cx, cy]) => svg('circle', { cx, cy, r: 3 }))];
  }

  numbers() {
    const heads = ['class', 'samples', 'mean predicted probability', 'share of positives'];
    const rows = this.data.flatMap(curve => curve.calibration.count.map((count, bin) => [
      curve.class, String(count), share(curve.calibration.predicted[bin]), share(curve.calibration.observed[bin]),
    ]));
    return { heads, rows };
  }
}
