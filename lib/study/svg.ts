// Figures as SVG text: panels with axes, lines and bands, and one legend. Colours follow the reader's light or dark theme;
// every line also has its own dashes, so that colour is not needed to tell them apart.
import type { Scale } from './scale.ts';

export interface LinePoint {
  readonly x: number;
  readonly y: number;
  /** Ends of the band around the line; null: none. */
  readonly band: readonly [low: number, high: number] | null;
}

export interface Line {
  readonly name: string;
  readonly points: readonly LinePoint[];
}

export interface Panel {
  readonly title: string;
  readonly xLabel: string;
  readonly x: Scale;
  readonly y: Scale;
  readonly lines: readonly Line[];
}

const PANEL = { width: 400, height: 270, left: 52, right: 22, top: 34, bottom: 44 };
const COLUMNS = 2;
const HEADER = 62;

/** Okabe and Ito's palette, which colour-blind readers can tell apart; lighter on dark ground. */
const LIGHT = ['#595959', '#0072b2', '#b35900', '#008560', '#a8508a', '#8a6d00', '#2a7fb8'];
const DARK = ['#b3b3b3', '#56b4e9', '#ff9e4a', '#3ddbb0', '#e79fc8', '#f0e442', '#9ad0f5'];
const DASHES = ['2 3', '', '7 3', '9 3 2 3', '4 2', '12 4', '1 2'];

/** Draws the panels in two columns under one title and legend. `names` gives every line's name its colour. */
export function drawFigure(title: string, panels: readonly Panel[], names: readonly string[]): string {
  const width = COLUMNS * PANEL.width;
  const height = HEADER + Math.ceil(panels.length / COLUMNS) * PANEL.height;
  const style = (colours: readonly string[]): string =>
    colours.map((colour, i) => `.l${i}{stroke:${colour}}.b${i}{fill:${colour}}`).join('');
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" role="img" aria-label="${escapeXml(title)}">`,
    '<style>',
    'text{font:12px system-ui,sans-serif;fill:#333}.title{font-size:15px;font-weight:600}.axis{stroke:#888;fill:none}',
    '.grid{stroke:#8884;fill:none}.line{fill:none;stroke-width:2}.band{stroke:none;opacity:.15}',
    style(LIGHT),
    `@media (prefers-color-scheme:dark){text{fill:#ddd}${style(DARK)}}`,
    '</style>',
    `<text class="title" x="12" y="22">${escapeXml(title)}</text>`,
    drawLegend(names),
    ...panels.map((panel, i) => {
      const [x, y] = [(i % COLUMNS) * PANEL.width, HEADER + Math.floor(i / COLUMNS) * PANEL.height];
      return `<g transform="translate(${x} ${y})">${drawPanel(panel, names)}</g>`;
    }),
    '</svg>',
    '',
  ].join('\n');
}

/** Text as XML content or attribute. */
export const escapeXml = (text: string): string =>
  text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('"', '&quot;');

function drawLegend(names: readonly string[]): string {
  let x = 12;
  const entries = names.map((name, i) => {
    const at = x;
    x += 52 + 7.5 * name.length;
    return `<path class="line ${colour('l', i)}" ${dash(i)}d="M${at} 44h28"/><text x="${at + 34}" y="48">${escapeXml(name)}</text>`;
  });
  return entries.join('');
}

function drawPanel({ title, xLabel, x, y, lines }: Panel, names: readonly string[]): string {
  const { left, top } = PANEL;
  const [right, bottom] = [PANEL.width - PANEL.right, PANEL.height - PANEL.bottom];
  const toX = (value: number): number => left + x.place(value) * (right - left);
  const toY = (value: number): number => bottom - y.place(value) * (bottom - top);
  const parts = [`<text class="title" style="font-size:13px" x="${left}" y="${top - 12}">${escapeXml(title)}</text>`];
  for (const { at, text } of y.ticks) {
    parts.push(
      `<path class="grid" d="M${left} ${round(toY(at))}H${right}"/>`,
      `<text x="${left - 6}" y="${round(toY(at) + 4)}" text-anchor="end">${escapeXml(text)}</text>`,
    );
  }
  for (const { at, text } of x.ticks) {
    parts.push(
      `<path class="axis" d="M${round(toX(at))} ${bottom}v4"/>`,
      `<text x="${round(toX(at))}" y="${bottom + 17}" text-anchor="middle">${escapeXml(text)}</text>`,
    );
  }
  parts.push(
    `<path class="axis" d="M${left} ${top}V${bottom}H${right}"/>`,
    `<text x="${(left + right) / 2}" y="${bottom + 35}" text-anchor="middle">${escapeXml(xLabel)}</text>`,
  );
  const at = (px: number, py: number): string => `${round(px)} ${round(py)}`;
  const indexed = lines.map((line) => ({ ...line, index: names.indexOf(line.name) }));
  for (const { points, index } of indexed) {
    const banded = points.filter(({ band }) => band !== null);
    if (banded.length < 2) continue;
    const upper = banded.map((point) => at(toX(point.x), clamp(toY(point.band![1]), top, bottom)));
    const lower = banded.map((point) => at(toX(point.x), clamp(toY(point.band![0]), top, bottom))).reverse();
    parts.push(`<path class="band ${colour('b', index)}" d="M${[...upper, ...lower].join('L')}Z"/>`);
  }
  for (const { points, index } of indexed) {
    if (points.length === 0) continue;
    const path = points.map((point) => at(toX(point.x), toY(point.y))).join('L');
    parts.push(`<path class="line ${colour('l', index)}" ${dash(index)}d="M${path}"/>`);
  }
  return parts.join('\n');
}

const colour = (prefix: string, index: number): string => `${prefix}${index % LIGHT.length}`;

function dash(index: number): string {
  const pattern = DASHES[index % DASHES.length]!;
  return pattern === '' ? '' : `stroke-dasharray="${pattern}" `;
}

const round = (value: number): number => Math.round(value * 10) / 10;
const clamp = (value: number, low: number, high: number): number => Math.min(high, Math.max(low, value));
