// The page: asks the server what has changed, and has it drawn.

import { element } from './draw.js';
import * as list from './runs.js';
import * as sections from './sections.js';

const get = id => document.getElementById(id);
const root = get('sections');
let version = 0;
const KINDS = ['histograms', 'images', 'texts', 'confusions', 'pr_curves', 'samples'];
const nothing = () => Object.fromEntries(KINDS.map(kind => [kind, {}]));
let tags = { scalars: [], ...nothing() };
let token = '';

// What all charts share.
const view = { x: 'step', weight: 0, log: false, group: '', get: fetchJson };

async function fetchJson(address, options) {
  try {
    const response = await fetch(address, options);
    if (!response.ok) throw new Error((await response.text()).trim());
    return await response.json();
  } catch (error) {
    say(`The dashboard does not answer: ${error.message}`);
    return null;
  }
}

function say(text) {
  if (get('status').textContent !== text) get('status').textContent = text;
}

// The token comes in the part of the address that is not sent; it is kept for this tab alone.
function takeToken() {
  const given = new URLSearchParams(location.hash.slice(1)).get('token');
  if (given) {
    sessionStorage.setItem('token', given);
    history.replaceState(null, '', location.pathname);
  }
  token = sessionStorage.getItem('token') ?? '';
}

let refreshing = null;
let wanted = false;

// Asks what has changed; calls while it does are one more call afterwards.
async function refresh() {
  wanted = true;
  refreshing ??= (async () => {
    while (wanted) {
      wanted = false;
      await refreshOnce();
    }
    refreshing = null;
  })();
  return refreshing;
}

async function refreshOnce() {
  const answer = await fetchJson(`/api/runs?since=${version}`);
  if (!answer) return;
  const isFirst = version === 0;
  version = answer.version;
  const changed = answer.runs.map(run => run.id);
  const fresh = list.take(answer.runs);
  drawRuns(changed);
  get('notes').replaceChildren(...answer.notes.map(textContent => element('li', { textContent })));
  const running = [...list.runs.values()].filter(run => run.status === 'running').length;
  const count = list.runs.size === 1 ? '1 run' : `${list.runs.size} runs`;
  const roots = answer.roots.map(root => root.split(/[\\/]/).filter(Boolean).at(-1) ?? root);
  say(`${count} in ${roots.join(', ')}${running ? `, ${running} running` : ''}`);
  get('status').title = answer.roots.join(', ');
  if (isFirst || fresh.length) offerGroups();
  if (isFirst || changed.some(id => list.chosen.has(id))) await refreshTags(isFirst ? null : changed);
  refreshControl();
}

async function refreshTags(changed) {
  // What is drawn already need not wait for what may be new.
  sections.renew(changed);
  const ids = [...list.chosen];
  const found = { scalars: new Set(), ...nothing() };
  for (let first = 0; first < ids.length; first += 800) {
    const answer = await fetchJson(`/api/tags?runs=${ids.slice(first, first + 800).join(',')}`);
    if (!answer) return;
    answer.scalars.forEach(tag => found.scalars.add(tag));
    for (const kind of KINDS) {
      for (const [tag, runs] of Object.entries(answer[kind])) (found[kind][tag] ??= []).push(...runs);
    }
  }
  tags = { ...found, scalars: [...found.scalars] };
  arrange();
}

function arrange() {
  sections.arrange(tags, root, view, get('tags').value);
}

function drawRuns(changed) {
  const shown = list.draw(get('runs'), get('filter').value, changed, (id, choose) => {
    if (choose) list.chosen.add(id);
    else list.chosen.delete(id);
    chosenChanged();
  });
  list.recolour(view.group, get('groups'));
  get('count').textContent = `${list.chosen.size} of ${list.runs.size} shown`;
  return shown;
}

function chosenChanged() {
  drawRuns([]);
  refreshTags(null);
}

function offerGroups() {
  const names = list.differing([...list.runs.keys()]);
  const options = [['', 'nothing'], ['*', 'all settings but the seed'], ...names.map(name => [name, name])];
  get('group').replaceChildren(...options.map(([value, textContent]) => element('option', { value, textContent })));
  get('group').value = view.group;
}

async function refreshControl() {
  const status = await fetchJson('/api/control');
  if (!status) return;
  get('control').hidden = !status.is_attached || status.is_stopped;
  get('pause').textContent = status.is_paused ? 'Go on' : 'Pause';
  get('pause').setAttribute('aria-pressed', String(status.is_paused));
  if (document.activeElement !== get('rate')) get('rate').value = status.learning_rate || '';
  for (const id of ['pause', 'stop', 'rate', 'set-rate']) get(id).disabled = !token;
  get('control').title = token ? '' : 'Open the address with the token that was printed at the start to change training.';
}

async function change(action, value) {
  const body = JSON.stringify(value === undefined ? { action } : { action, value });
  const options = { method: 'POST', body, headers: { 'X-Hadal-Token': token, 'Content-Type': 'application/json' } };
  try {
    const response = await fetch('/api/control', options);
    if (!response.ok) throw new Error((await response.text()).trim());
    const said = {
      pause: 'Training pauses after this step',
      resume: 'Training goes on',
      stop: 'Training stops after a checkpoint',
      learning_rate: `The learning rate is ${value} from the next step on`,
    };
    say(said[action]);
  } catch (error) {
    say(`Not done: ${error.message}`);
  }
  await refreshControl();
}

function listen() {
  const settle = (id, event, act) => get(id).addEventListener(event, act);
  settle('filter', 'input', () => drawRuns([]));
  settle('tags', 'input', arrange);
  settle('all', 'click', () => {
    drawRuns([]).forEach(id => list.chosen.add(id));
    chosenChanged();
  });
  settle('none', 'click', () => {
    drawRuns([]).forEach(id => list.chosen.delete(id));
    chosenChanged();
  });
  settle('group', 'change', () => {
    view.group = get('group').value;
    list.recolour(view.group, get('groups'));
    sections.renew(null);
  });
  settle('x', 'change', () => {
    view.x = get('x').value;
    sections.unzoom();
  });
  settle('weight', 'input', () => {
    view.weight = get('weight').valueAsNumber;
    get('weight-value').textContent = view.weight;
    sections.renew(null);
  });
  settle('log', 'change', () => {
    view.log = get('log').checked;
    sections.redraw();
  });
  settle('tools', 'submit', event => event.preventDefault());
  settle('show-runs', 'click', () => {
    const open = get('side').classList.toggle('open');
    get('show-runs').setAttribute('aria-expanded', String(open));
  });
  settle('pause', 'click', () => change(get('pause').getAttribute('aria-pressed') === 'true' ? 'resume' : 'pause'));
  settle('stop', 'click', () => change('stop'));
  settle('set-rate', 'click', () => change('learning_rate', Number(get('rate').value)));
  matchMedia('(prefers-color-scheme: dark)').addEventListener('change', () => {
    list.recolour(view.group, get('groups'));
    sections.redraw();
  });
}

function follow() {
  const events = new EventSource('/events');
  events.addEventListener('message', event => {
    if (JSON.parse(event.data).version > version) refresh();
  });
  events.addEventListener('error', () => say('The dashboard has ended, or cannot be reached; what is shown may be old.'));
  events.addEventListener('open', refresh);
}

takeToken();
for (const id of ['x', 'weight', 'log', 'group', 'filter', 'tags']) get(id).autocomplete = 'off';
listen();
await refresh();
follow();
