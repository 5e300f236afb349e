// Which charts and pictures there are, and where they stand.

import { Chart } from './chart.js';
import { element, ridges } from './draw.js';
import { chosen, colour, differing, runs } from './runs.js';

const MOST_COLUMNS = 12;
const SECTIONS = ['Scores', 'Learning rate', 'Gradients and weights', 'Speed', 'Batches', 'Other'];

const charts = new Map();
const pictures = new Map();
const bodies = new Map();

function sectionOf(tag) {
  if (/^learning_rate$|^lr$/.test(tag)) return 'Learning rate';
  if (/gradient|weight|update|norm|dead|activation/.test(tag)) return 'Gradients and weights';
  if (/second|memory|processor|cpu|gpu/.test(tag)) return 'Speed';
  if (/batch/.test(tag)) return 'Batches';
  return tag.includes('/') ? 'Other' : 'Scores';
}

// The place for a section's figures, made when it is first asked for, in order.
function body(title, root) {
  if (bodies.has(title)) return bodies.get(title);
  const inner = element('div', { className: title === 'Images' ? 'charts small' : 'charts' });
  const outer = element('details', { className: 'section', open: true }, [
    element('summary', {}, [element('h2', { textContent: title })]), inner,
  ]);
  const order = [...SECTIONS, 'Confusion matrix', 'Histograms', 'Images', 'Text', 'Settings'];
  const after = [...root.children].find(other => order.indexOf(other.dataset.title) > order.indexOf(title));
  outer.dataset.title = title;
  root.insertBefore(outer, after ?? null);
  bodies.set(title, inner);
  return inner;
}

// Charts by title: the curves of training and validation together.
function layout(scalars) {
  const all = new Set(scalars);
  const titles = new Map();
  for (const tag of scalars) {
    const own = tag.startsWith('val_') && all.has(tag.slice(4)) ? tag.slice(4) : tag;
    titles.set(own, all.has(`val_${own}`) ? [own, `val_${own}`] : [own]);
  }
  return titles;
}

// Makes figures for what there is; removes those of which there is no more.
export function arrange(tags, root, view, filter) {
  const words = filter.toLowerCase().split(/\s+/).filter(Boolean);
  const fits = text => words.every(word => text.toLowerCase().includes(word));
  const titles = layout(tags.scalars);
  for (const [title, chart] of charts) {
    if (titles.get(title)?.join() !== chart.tags.join()) {
      chart.leave();
      chart.element.remove();
      charts.delete(title);
    }
  }
  const sorted = [...titles].sort(([a], [b]) => (b === 'loss') - (a === 'loss') || a.localeCompare(b));
  for (const [title, names] of sorted) {
    if (!charts.has(title)) charts.set(title, new Chart(title, names, view));
    const chart = charts.get(title);
    const place = body(sectionOf(title), root);
    if (chart.element.parentNode !== place) place.append(chart.element);
    chart.element.hidden = !fits(names.join(' '));
  }
  const kinds = [
    ['Confusion matrix', tags.confusions, Confusion],
    ['Histograms', tags.histograms, Ridges],
    ['Images', tags.images, Images],
    ['Text', tags.texts, Text],
  ];
  for (const [kind, found, Kind] of kinds) {
    for (const [tag, ids] of Object.entries(found)) {
      const key = `${kind}\n${tag}`;
      if (!pictures.has(key)) {
        pictures.set(key, new Kind(tag, view));
        body(kind, root).append(pictures.get(key).element);
      }
      pictures.get(key).offer(ids);
      pictures.get(key).element.hidden = !fits(tag);
    }
  }
  for (const [key, picture] of pictures) {
    const [kind, tag] = key.split('\n');
    const [, found] = kinds.find(([title]) => title === kind);
    if (!(tag in found)) {
      picture.leave();
      picture.element.remove();
      pictures.delete(key);
    }
  }
  for (const [title, inner] of bodies) {
    if (title === 'Settings') continue;
    inner.parentNode.hidden = ![...inner.children].some(child => !child.hidden);
  }
}

export function renew(changed) {
  for (const chart of charts.values()) chart.renew(changed);
  for (const picture of pictures.values()) picture.renew(changed);
}

// The axis counts something else: parts of the old one mean nothing.
export function unzoom() {
  for (const chart of charts.values()) {
    chart.range = null;
    chart.reset.hidden = true;
  }
  renew(null);
}

export function redraw() {
  for (const chart of charts.values()) chart.draw();
  for (const picture of pictures.values()) picture.draw();
}

// A figure of one run at a time, fetched when it is seen.
class Picture {
  constructor(tag, view) {
    Object.assign(this, { tag, view, run: null, seen: false, stale: true });
    this.choice = element('select');
    this.choice.setAttribute('aria-label', `${tag}: run`);
    this.choice.addEventListener('change', () => this.choose(Number(this.choice.value)));
    this.inner = element('div');
    const caption = element('figcaption', {}, [element('h3', { textContent: tag }), this.choice]);
    this.element = element('figure', {}, [caption, this.inner]);
    const watch = new IntersectionObserver(entries => {
      this.seen = entries.at(-1).isIntersecting;
      if (this.seen && this.stale) this.load();
    }, { rootMargin: '200px' });
    watch.observe(this.element);
    this.leave = () => watch.disconnect();
  }

  // The runs that have it.
  offer(ids) {
    if (this.ids?.join() === ids.join()) return;
    this.ids = ids;
    this.choice.replaceChildren(...ids.map(id => element('option', { value: id, textContent: runs.get(id)?.name ?? id })));
    // Until one is chosen, one that is running, or the newest.
    if (!this.picked || !ids.includes(this.run)) {
      this.run = ids.findLast(id => runs.get(id)?.status === 'running') ?? ids.at(-1);
    }
    this.choice.value = this.run;
    this.choice.hidden = ids.length < 2;
    this.renew([this.run]);
  }

  choose(id) {
    Object.assign(this, { run: id, picked: true });
    this.renew([id]);
  }

  renew(changed) {
    if (changed && !changed.includes(this.run)) return;
    this.stale = true;
    if (this.seen) this.load();
  }

  query(more = {}) {
    return new URLSearchParams({ run: this.run, tag: this.tag, ...more });
  }

  async load() {
    this.stale = false;
    await this.fetch();
  }

  draw() {}
}

class Confusion extends Picture {
  async fetch() {
    const data = await this.view.get(`/api/confusion?${this.query()}`);
    if (!data) return;
    const rows = data.actual.map((name, row) => {
      const total = data.counts[row].reduce((a, b) => a + b, 0);
      const cells = data.counts[row].map((count, column) => {
        const cell = element('td', { className: 'number', textContent: String(count) });
        const isRight = data.predicted[column] === name;
        cell.title = `${name} predicted as ${data.predicted[column]}: ${count} of ${total}`;
        const share = Math.round((total ? count / total : 0) * 70);
        cell.style.setProperty('background', `color-mix(in srgb, ${isRight ? 'var(--accent)' : 'var(--bad)'} ${share}%, transparent)`);
        return cell;
      });
      return element('tr', {}, [element('th', { scope: 'row', textContent: name }), ...cells]);
    });
    const heads = ['actual \\ predicted', ...data.predicted].map(text => element('th', { scope: 'col', textContent: text }));
    const table = element('table', {}, [element('thead', {}, [element('tr', {}, heads)]), element('tbody', {}, rows)]);
    this.inner.replaceChildren(element('div', { className: 'scroll', tabIndex: 0 }, [table]));
  }
}

class Ridges extends Picture {
  constructor(tag, view) {
    super(tag, view);
    this.canvas = element('canvas');
    this.canvas.setAttribute('role', 'img');
    this.plot = element('div', { className: 'plot' }, [this.canvas]);
    this.words = element('p', { className: 'note' });
    this.inner.append(this.plot, this.words);
    const resize = new ResizeObserver(() => this.draw());
    resize.observe(this.plot);
    const leave = this.leave;
    this.leave = () => { leave(); resize.disconnect(); };
  }

  async fetch() {
    this.data = await this.view.get(`/api/histograms?${this.query()}`);
    this.draw();
  }

  draw() {
    if (!this.data || !this.plot.clientWidth) return;
    ridges(this.canvas, this.data, colour(this.run));
    const { steps, edges } = this.data;
    const text = `${steps.length} of ${this.data.total} histograms, steps ${steps[0]} to ${steps.at(-1)}`;
    this.words.textContent = `${text}; the last from ${edges.at(-1)[0].toPrecision(4)} to ${edges.at(-1).at(-1).toPrecision(4)}`;
    this.canvas.setAttribute('aria-label', `${this.tag}: ${this.words.textContent}`);
  }
}

class Images extends Picture {
  constructor(tag, view) {
    super(tag, view);
    this.image = element('img', { className: 'picture', alt: tag });
    this.words = element('span', { className: 'note' });
    this.slider = element('input', { type: 'range', min: 0, step: 1 });
    this.slider.setAttribute('aria-label', `${tag}: step`);
    this.slider.addEventListener('input', () => {
      this.last = this.slider.valueAsNumber === this.steps.length - 1;
      this.draw();
    });
    this.last = true;
    this.inner.append(this.image, element('div', { className: 'row' }, [this.slider, this.words]));
  }

  async fetch() {
    this.steps = await this.view.get(`/api/images?${this.query()}`);
    if (!this.steps?.length) return;
    this.slider.max = this.steps.length - 1;
    this.slider.hidden = this.steps.length < 2;
    if (this.last) this.slider.value = this.steps.length - 1;
    this.draw();
  }

  draw() {
    if (!this.steps?.length) return;
    const index = this.slider.valueAsNumber;
    const source = `/api/image?${this.query({ index })}&step=${this.steps[index]}`;
    if (this.image.getAttribute('src') !== source) this.image.src = source;
    this.words.textContent = `step ${this.steps[index]}`;
    this.image.alt = `${this.tag} at step ${this.steps[index]} of ${runs.get(this.run)?.name ?? 'a run'}`;
  }
}

class Text extends Picture {
  constructor(tag, view) {
    super(tag, view);
    this.text = element('pre', { tabIndex: 0 });
    this.inner.append(this.text);
  }

  async fetch() {
    const response = await fetch(`/api/text?${this.query()}`);
    if (response.ok) this.text.textContent = (await response.text()).replace(/^ {4}/gm, '');
  }
}

// Settings of chosen runs side by side.
export function settings(root) {
  const inner = body('Settings', root);
  const ids = [...chosen].filter(id => runs.has(id)).sort((a, b) => a - b);
  const shown = ids.slice(0, MOST_COLUMNS);
  const only = inner.querySelector('input')?.checked ?? shown.length > 1;
  // A table that stays the same keeps its place and the focus.
  const known = shown.map(id => [runs.get(id).name, runs.get(id).settings, runs.get(id).facts]);
  const content = JSON.stringify([only, ids.length, known]);
  if (inner.dataset.content === content) return;
  inner.dataset.content = content;
  const differ = new Set(differing(shown));
  const names = [...new Set(shown.flatMap(id => Object.keys(runs.get(id).settings)))].sort();
  const facts = [...new Set(shown.flatMap(id => Object.keys(runs.get(id).facts)))];
  const box = element('input', { type: 'checkbox', checked: only });
  box.addEventListener('change', () => {
    settings(root);
    inner.querySelector('input').focus();
  });
  const rowOf = (name, values) => {
    const differs = new Set(values).size > 1;
    const cells = values.map(value => element('td', { textContent: value ?? '' }));
    const head = element('th', { scope: 'row', textContent: differs ? `${name} ≠` : name });
    return element('tr', { className: differs ? 'differs' : '' }, [head, ...cells]);
  };
  const rows = [
    ...names.filter(name => !only || differ.has(name)).map(name => rowOf(name, shown.map(id => runs.get(id).settings[name]))),
    ...(only ? [] : facts.map(name => rowOf(name, shown.map(id => runs.get(id).facts[name])))),
  ];
  const heads = ['setting', ...shown.map(id => runs.get(id).name)].map(text => element('th', { scope: 'col', textContent: text }));
  const table = element('table', {}, [element('thead', {}, [element('tr', {}, heads)]), element('tbody', {}, rows)]);
  const more = ids.length - shown.length;
  const note = textContent => element('p', { className: 'note', textContent });
  const notes = more > 0 ? [note(`${more} more runs are chosen; the first ${MOST_COLUMNS} are shown`)] : [];
  const same = names.length ? 'The settings of these runs are the same.' : 'No settings are recorded.';
  const emptiness = shown.length ? same : 'No runs are chosen.';
  if (!rows.length) notes.push(note(emptiness));
  const label = element('label', {}, [box, ' differences only']);
  inner.className = '';
  inner.replaceChildren(element('figure', {}, [label, element('div', { className: 'scroll', tabIndex: 0 }, [table]), ...notes]));
}
