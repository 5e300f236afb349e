// Settings of chosen runs side by side.

import { element } from './draw.js';
import { chosen, differing, runs } from './runs.js';

const MOST_COLUMNS = 12;

// Fills the place of the table.
export function settings(inner) {
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
    settings(inner);
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
