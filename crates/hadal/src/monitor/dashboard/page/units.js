// How values are written, and by what their marks on an axis are round.

import { number } from './draw.js';

const SIZES = [[2 ** 30, 'GiB'], [2 ** 20, 'MiB'], [2 ** 10, 'KiB']];
const few = value => String(Number(value.toPrecision(4)));

function bytes(value) {
  if (value == null) return number(value);
  const [size, name] = SIZES.find(([size]) => Math.abs(value) >= size) ?? [1, 'B'];
  return `${few(value / size)} ${name}`;
}

export const UNITS = {
  plain: { text: number, round: () => 1 },
  bytes: { text: bytes, round: top => (SIZES.find(([size]) => top >= size) ?? [1])[0] },
  share: { text: value => (value == null ? number(value) : `${few(100 * value)}%`), round: () => 1 },
};
