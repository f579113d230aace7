// The page that a solver reads first.
import { formatCsv, type Table } from '../csv.ts';
import { METRICS, type MetricName } from '../metrics/registry.ts';
import type { Problem } from './problem.ts';
import type { GeneratedSettings } from './settings.ts';

const METRIC_TEXT: Partial<Record<MetricName, string>> = {
  auc: 'the area under the ROC curve of the predicted probabilities',
  multiclass_log_loss:
    'the mean negative logarithm of the probability that is given to the right class; each row must sum to 1',
  rmse: 'the root of the mean squared error',
  mae: 'the mean absolute error',
};

/** description.md. */
export function describe(
  { title, story, metric, target }: Problem,
  { rows, testRows }: GeneratedSettings,
  sample: Table,
): string {
  const direction = METRICS[metric].better === 'higher' ? 'Higher' : 'Lower';
  return `# ${title}

${story}

## Files

- \`train.csv\`: about ${rows} rows with \`id\`, features and the target \`${target}\`
- \`test.csv\`: about ${testRows} rows without the target
- \`sample_submission.csv\`: a submission of a constant guess

## Submission

\`submission.csv\` with a header and one row for each \`id\` of \`test.csv\`:

\`\`\`
${formatCsv({ columns: sample.columns, rows: sample.rows.slice(0, 3) })}\`\`\`

## Evaluation

The score is ${METRIC_TEXT[metric] ?? metric}. ${direction} is better. One half of the test rows makes the score that is
shown, the other half the one that counts.
`;
}
