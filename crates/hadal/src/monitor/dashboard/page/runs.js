// The runs: what is known of them, which are chosen, their colours and groups.

import { element, number } from './draw.js';

// Okabe and Ito's colours, which colour-blind people can tell apart, made lighter for dark pages.
const LIGHT = ['#0072b2', '#d55e00', '#00825f', '#b8478a', '#8a6d00', '#2a8fc7', '#7a5bb5', '#555555'];
const DARK = ['#4da3e0', '#ff8b4d', '#33c39a', '#e59cc4', '#f2bd4a', '#8cd0f5', '#b9a2db', '#bbbbbb'];
const SEEDS = ['training.seed', 'split.seed'];
// Folders may hold hundreds of runs: so many are chosen at first.
const FIRST = 30;
// Numbers in names by their size.
const order = new Intl.Collator(undefined, { numeric: true });
const dark = matchMedia('(prefers-color-scheme: dark)');

export const runs = new Map();
export const chosen = new Set();
const rows = new Map();

export function colour(index) {
  const colours = dark.matches ? DARK : LIGHT;
  if (index < colours.length) return colours[index];
  return `hsl(${(index * 137.5) % 360} 65% ${dark.matches ? 68 : 40}%)`;
}

// Takes in what the server says of some runs; returns the ids of those that are new.
export function take(infos) {
  const fresh = [];
  for (const info of infos) {
    if (info.is_gone) {
      runs.delete(info.id);
      chosen.delete(info.id);
      rows.get(info.id)?.remove();
      rows.delete(info.id);
      continue;
    }
    if (!runs.has(info.id)) fresh.push(info.id);
    runs.set(info.id, info);
  }
  // The newest are of most interest; names begin with dates.
  const newest = fresh.map(id => runs.get(id)).sort((a, b) => order.compare(b.name, a.name));
  for (const run of newest) {
    if (chosen.size < FIRST || run.status === 'running') chosen.add(run.id);
  }
  return fresh;
}

// The settings that are not the same in all runs.
export function differing(ids) {
  const names = new Set(ids.flatMap(id => Object.keys(runs.get(id).settings)));
  const differs = name => new Set(ids.map(id => runs.get(id).settings[name])).size > 1;
  return [...names].filter(differs).sort();
}

// Groups of chosen runs: a label and the ids of each.
export function groups(by) {
  const found = new Map();
  for (const id of [...chosen].sort((a, b) => a - b)) {
    const settings = runs.get(id).settings;
    const rest = Object.entries(settings).filter(([name]) => !SEEDS.includes(name));
    const key = by === '*' ? JSON.stringify(rest) : settings[by] ?? 'not set';
    if (!found.has(key)) found.set(key, []);
    found.get(key).push(id);
  }
  const label = ([key, ids]) => (by === '*' ? `${runs.get(ids[0]).name} and other seeds` : `${by.split('.').at(-1)} = ${key}`);
  const nameOf = entry => {
    const [, ids] = entry;
    if (ids.length > 1) return `${label(entry)} (${ids.length} runs)`;
    return by === '*' ? runs.get(ids[0]).name : label(entry);
  };
  return [...found].map(entry => ({
    label: nameOf(entry),
    ids: entry[1],
  }));
}

function matches(run, words) {
  const text = [run.name, ...Object.entries(run.settings).map(([name, value]) => `${name}=${value}`)].join(' ').toLowerCase();
  return words.every(word => text.includes(word));
}

// Draws the list; `changed` are the ids of rows to be made anew.
export function draw(list, filter, changed, onChoose) {
  const words = filter.toLowerCase().split(/\s+/).filter(Boolean);
  const sorted = [...runs.values()].sort((a, b) => order.compare(a.name, b.name));
  for (const run of sorted) {
    if (changed.includes(run.id) || !rows.has(run.id)) {
      const row = rowOf(run, onChoose);
      const old = rows.get(run.id);
      const hasFocus = old?.contains(document.activeElement);
      old?.replaceWith(row);
      rows.set(run.id, row);
      if (hasFocus) row.querySelector('input').focus();
    }
  }
  const wanted = sorted.map(run => rows.get(run.id));
  wanted.forEach((row, index) => {
    if (list.children[index] !== row) list.insertBefore(row, list.children[index] ?? null);
    row.hidden = !matches(sorted[index], words);
    row.querySelector('input').checked = chosen.has(sorted[index].id);
  });
  return sorted.filter((run, index) => !wanted[index].hidden).map(run => run.id);
}

function rowOf(run, onChoose) {
  const box = element('input', { type: 'checkbox' });
  box.addEventListener('change', () => onChoose(run.id, box.checked));
  const swatch = element('span', { className: 'swatch' });
  const score = ['test loss', 'val_loss', 'loss'].find(name => run.scores[name] != null);
  const facts = [
    run.status,
    run.epochs ? `${run.epochs} epochs` : '',
    score ? `${score} ${number(run.scores[score])}` : '',
  ].filter(Boolean).join(' · ');
  const label = element('label', {}, [
    box,
    swatch,
    element('span', { className: 'name', textContent: run.name, title: run.path }),
    element('span', { className: 'facts', textContent: facts }),
  ]);
  const notes = run.notes.map(note => element('div', { className: 'facts fault', textContent: note }));
  const kinds = [...new Set(run.findings.map(finding => finding.kind.replaceAll('_', ' ')))].join(', ');
  const mark = element('div', { className: 'facts fault', textContent: `⚠ health: ${kinds}` });
  return element('li', {}, [label, ...(kinds ? [mark] : []), ...notes]);
}

// Gives each run the colour of its curve, or of that of its group, and lists the groups.
export function recolour(by, list) {
  const sets = by ? groups(by) : [];
  const places = new Map(sets.flatMap(({ ids }, place) => ids.map(id => [id, place])));
  for (const [id, row] of rows) {
    const place = by ? places.get(id) : id;
    row.querySelector('.swatch').style.setProperty('background', place == null ? 'transparent' : colour(place));
  }
  list.replaceChildren(...sets.map(({ label }, place) => {
    const swatch = element('span', { className: 'swatch' });
    swatch.style.setProperty('background', colour(place));
    return element('li', {}, [swatch, element('span', { className: 'name', textContent: label })]);
  }));
}
