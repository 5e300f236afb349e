// Figures of one run at a time: confusion matrices, histograms, images, texts.

import { element, ridges } from './draw.js';
import { built } from './markdown.js';
import { colour, runs } from './runs.js';

// A figure of one run at a time, fetched when it is seen.
export class Picture {
  constructor(tag, view, title = tag) {
    Object.assign(this, { tag, view, title, run: null, seen: false, stale: true });
    this.choice = element('select');
    this.choice.setAttribute('aria-label', `${title}: run`);
    this.choice.addEventListener('change', () => this.choose(Number(this.choice.value)));
    this.inner = element('div');
    const caption = element('figcaption', {}, [element('h3', { textContent: title }), this.choice]);
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

export class Confusion extends Picture {
  async fetch() {
    const data = await this.view.get(`/api/confusion?${this.query()}`);
    if (!data) return;
    const { classes, counts, step } = data;
    const rows = classes.map((name, row) => {
      const total = counts[row].reduce((a, b) => a + b, 0);
      const cells = counts[row].map((count, column) => {
        const cell = element('td', { className: 'number', textContent: String(count) });
        cell.title = `${name} predicted as ${classes[column]}: ${count} of ${total}`;
        const share = Math.round((total ? count / total : 0) * 70);
        const fill = row === column ? 'var(--accent)' : 'var(--bad)';
        cell.style.setProperty('background', `color-mix(in srgb, ${fill} ${share}%, transparent)`);
        return cell;
      });
      return element('tr', {}, [element('th', { scope: 'row', textContent: name }), ...cells]);
    });
    const heads = ['actual \\ predicted', ...classes].map(text => element('th', { scope: 'col', textContent: text }));
    const table = element('table', {}, [element('thead', {}, [element('tr', {}, heads)]), element('tbody', {}, rows)]);
    const note = element('p', { className: 'note', textContent: `validation data at step ${step}` });
    this.inner.replaceChildren(element('div', { className: 'scroll', tabIndex: 0 }, [table]), note);
  }
}

export class Ridges extends Picture {
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

export class Images extends Picture {
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

export class Text extends Picture {
  async fetch() {
    const nodes = await this.view.get(`/api/text?${this.query()}`);
    if (nodes) this.inner.replaceChildren(element('div', { className: 'text' }, built(nodes)));
  }
}

// What a network says of some samples: a table, and images with their tags.
export class Samples extends Picture {
  async fetch() {
    const data = await this.view.get(`/api/samples?${this.query()}`);
    if (!data) return;
    const image = tag => {
      const caption = tag.slice(this.tag.length + 1);
      const query = new URLSearchParams({ run: this.run, tag, step: data.step });
      const shown = element('img', { className: 'picture', src: `/api/image?${query}`, alt: caption, loading: 'lazy' });
      return element('figure', { className: 'sample' }, [shown, element('figcaption', { className: 'note', textContent: caption })]);
    };
    const images = element('div', { className: 'samples', tabIndex: 0 }, data.images.map(image));
    images.hidden = !data.images.length;
    images.classList.toggle('single', data.images.length === 1);
    const note = element('p', { className: 'note', textContent: data.step == null ? '' : `images of step ${data.step}` });
    this.inner.replaceChildren(images, note, element('div', { className: 'text' }, built(data.text)));
  }
}
