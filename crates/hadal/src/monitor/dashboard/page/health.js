// What was found to be wrong with the training of the chosen runs.

import { element } from './draw.js';
import { chosen, runs } from './runs.js';

const MOST_RUNS = 24;

// Fills the place of the findings.
export function findings(inner) {
  const ids = [...chosen].filter(id => runs.get(id)?.findings.length).sort((a, b) => a - b);
  const shown = ids.slice(0, MOST_RUNS).map(id => runs.get(id));
  // A list that stays the same keeps its place and the focus.
  const content = JSON.stringify([ids.length, shown.map(run => [run.name, run.findings])]);
  if (inner.dataset.content === content) return;
  inner.dataset.content = content;
  const figures = shown.map(run => {
    const items = run.findings.map(({ kind, epoch, step, text, advice }) => element('li', {}, [
      element('strong', { textContent: `${kind.replaceAll('_', ' ')}, ` }),
      element('span', { textContent: `epoch ${epoch}, step ${step}: ${text}` }),
      element('span', { className: 'advice', textContent: `Try ${advice}` }),
    ]));
    const heading = element('h3', { textContent: run.name });
    return element('figure', {}, [element('figcaption', {}, [heading]), element('ul', { className: 'findings' }, items)]);
  });
  const more = ids.length - shown.length;
  const note = element('p', { className: 'note', textContent: `and ${more} more runs with findings` });
  inner.replaceChildren(...figures, ...(more > 0 ? [note] : []));
}
