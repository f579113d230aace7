// The figure of one environment: quality against k, quality against tokens spent, and how the curriculum went.
import type { CURRICULUM, EnvironmentSummary, StageSummary, TrainingPoint } from './aggregate.ts';
import { linearScale, stepsScale } from './scale.ts';
import { drawFigure, type Line, type LinePoint, type Panel } from './svg.ts';

const CURRICULUM_TITLES: Readonly<Record<(typeof CURRICULUM)[number], string>> = {
  depth: 'Mean depth of the start points',
  bufferSize: 'Entries of the task buffer',
  bufferScore: 'Mean score of the buffer',
  zeroVariance: 'Share of groups without variance',
  trainedInstances: 'Different instances trained on',
  trainedStarts: 'Different start points trained on',
};

export function drawEnvironment(summary: EnvironmentSummary): string {
  const { stages, seeds, environment } = summary;
  const names = Object.keys(stages);
  const title = `${environment}: mean and 95 % interval over ${seeds.length} ${seeds.length === 1 ? 'seed' : 'seeds'}`;
  const panels = [
    qualityPanel(stages),
    ...measuredWhileTraining(stages).map((name) =>
      trainingPanel(stages, name, `Held-out ${name} while training`, 'tokens'),
    ),
    ...Object.entries(CURRICULUM_TITLES).map(([name, text]) => trainingPanel(stages, name, text, 'step')),
  ];
  return drawFigure(
    title,
    panels.filter(({ lines }) => lines.length > 0),
    names,
  );
}

function qualityPanel(stages: Readonly<Record<string, StageSummary>>): Panel {
  const lines = Object.entries(stages).map(([name, { points }]) => ({
    name,
    points: points.map(({ k, quality }): LinePoint => ({ x: k, y: quality.mean, band: quality.interval })),
  }));
  const ks = lines[0]?.points.map(({ x }) => x) ?? [];
  return {
    title: 'Held-out quality after k steps of self-iteration',
    xLabel: 'k',
    x: stepsScale(ks),
    y: linearScale(heights(lines)),
    lines,
  };
}

/** quality@k of the smallest and the largest k measured while training. */
function measuredWhileTraining(stages: Readonly<Record<string, StageSummary>>): string[] {
  const names = new Set(Object.values(stages).flatMap(({ training }) => Object.keys(training)));
  const ks = [...names].filter((name) => name.startsWith('quality@')).map((name) => Number(name.slice(8)));
  return ks.length === 0 ? [] : [...new Set([Math.min(...ks), Math.max(...ks)])].map((k) => `quality@${k}`);
}

function trainingPanel(
  stages: Readonly<Record<string, StageSummary>>,
  statistic: string,
  title: string,
  axis: 'tokens' | 'step',
): Panel {
  const lines = Object.entries(stages).flatMap(([name, { training }]): Line[] => {
    const curve: readonly TrainingPoint[] = training[statistic] ?? [];
    if (curve.length === 0) return [];
    return [{ name, points: curve.map((p) => ({ x: p[axis], y: p.value.mean, band: p.value.interval })) }];
  });
  const xs = lines.flatMap(({ points }) => points.map(({ x }) => x));
  return {
    title,
    xLabel: axis === 'tokens' ? 'completion tokens trained on' : 'training step',
    x: linearScale([0, ...xs]),
    y: linearScale(heights(lines)),
    lines,
  };
}

/**
 * What the axis covers: all means, and the bands as far as they stay within twice the range (few seeds have very wide ones)
 * and above 0 where all means are, with a little room.
 */
function heights(lines: readonly Line[]): number[] {
  const points = lines.flatMap((line) => line.points);
  const means = points.map(({ y }) => y);
  const [low, high] = [Math.min(...means), Math.max(...means)];
  const slack = (high - low) / 2;
  const floor = low >= 0 ? Math.max(0, low - slack) : low - slack;
  const ends = points.flatMap(({ band }) => (band === null ? [] : [...band]));
  const all = [...means, ...ends.map((end) => Math.min(high + slack, Math.max(floor, end)))];
  return [...all, Math.max(...all) + 0.04 * (Math.max(...all) - Math.min(...all))];
}
