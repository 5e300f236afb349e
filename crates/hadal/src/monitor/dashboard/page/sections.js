// Which charts and pictures there are, and where they stand.

import { Chart } from './chart.js';
import { Calibration, PrecisionRecall } from './classes.js';
import { element } from './draw.js';
import { findings } from './health.js';
import { Confusion, Images, Ridges, Samples, Text } from './pictures.js';
import { settings } from './settings.js';
import { UNITS } from './units.js';

const SECTIONS = [
  'Scores', 'Health', 'Learning rate', 'Gradients and weights', 'Dead units', 'Speed', 'Memory and processor', 'Batches', 'Other',
  'Classes', 'Samples', 'Histograms', 'Images', 'Text', 'Settings',
];
// Curves that have a name and a unit of their own.
const NAMES = { 'system/memory': ['memory', UNITS.bytes], 'system/processor': ['processor cores in use', UNITS.plain] };

const charts = new Map();
const pictures = new Map();
const bodies = new Map();

function sectionOf(tag) {
  if (/^learning_rate$|^lr$/.test(tag)) return 'Learning rate';
  if (/^dead_units\//.test(tag)) return 'Dead units';
  if (/^system\/|memory|processor|cpu|gpu/.test(tag)) return 'Memory and processor';
  if (/gradient|weight|update|norm|activation/.test(tag)) return 'Gradients and weights';
  if (/second/.test(tag)) return 'Speed';
  if (/batch/.test(tag)) return 'Batches';
  return tag.includes('/') ? 'Other' : 'Scores';
}

function nameOf(tag) {
  if (/^dead_units\//.test(tag)) return [tag.slice('dead_units/'.length), UNITS.share];
  return NAMES[tag] ?? [tag, UNITS.plain];
}

// The place for a section's figures, made when it is first asked for, in order.
function body(title, root) {
  if (bodies.has(title)) return bodies.get(title);
  const inner = element('div', { className: title === 'Images' ? 'charts small' : 'charts' });
  const outer = element('details', { className: 'section', open: true }, [
    element('summary', {}, [element('h2', { textContent: title })]), inner,
  ]);
  const place = SECTIONS.indexOf(title);
  const after = [...root.children].find(other => SECTIONS.indexOf(other.dataset.title) > place);
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
    if (!charts.has(title)) charts.set(title, new Chart(...nameOf(title), names, view));
    const chart = charts.get(title);
    const place = body(sectionOf(title), root);
    if (chart.element.parentNode !== place) place.append(chart.element);
    chart.element.hidden = !fits(names.join(' '));
  }
  const kinds = [
    ['confusion', tags.confusions, Confusion, 'Classes'],
    ['precision', tags.pr_curves, PrecisionRecall, 'Classes'],
    ['calibration', tags.pr_curves, Calibration, 'Classes'],
    ['Samples', tags.samples, Samples],
    ['Histograms', tags.histograms, Ridges],
    ['Images', tags.images, Images],
    ['Text', tags.texts, Text],
  ];
  for (const [kind, found, Kind, section = kind] of kinds) {
    for (const [tag, ids] of Object.entries(found)) {
      const key = `${kind}\n${tag}`;
      if (!pictures.has(key)) {
        pictures.set(key, new Kind(tag, view));
        body(section, root).append(pictures.get(key).element);
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
  findings(body('Health', root));
  settings(body('Settings', root));
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
