// Texts in Markdown, of which the server says what elements they are made of: those that only lay out text.

import { element } from './draw.js';

const KINDS = new Set([
  'a', 'blockquote', 'br', 'code', 'del', 'em', 'h4', 'h5', 'h6', 'hr', 'li', 'ol', 'p', 'pre', 'span', 'strong', 'table', 'td', 'th',
  'thead', 'tr', 'ul',
]);

// Elements and texts, to be put into one that lays them out.
export function built(nodes) {
  return nodes.map(node => (typeof node === 'string' ? node : made(node)));
}

function made({ kind, href, start, children }) {
  const inner = built(children);
  if (!KINDS.has(kind)) return element('span', {}, inner);
  const isLink = kind === 'a' && /^https?:[/][/]/i.test(href);
  const properties = isLink ? { href, rel: 'noopener noreferrer', target: '_blank' } : {};
  if (kind === 'ol' && start != null) properties.start = start;
  // What may be wide scrolls, also by keyboard.
  if (kind === 'pre') return element('pre', { tabIndex: 0 }, inner);
  const one = element(kind, properties, inner);
  return kind === 'table' ? element('div', { className: 'scroll', tabIndex: 0 }, [one]) : one;
}
