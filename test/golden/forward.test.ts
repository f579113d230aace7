// Logits, residual stream, log-probabilities and entropies against a float64 run, with both spellings of the config.
import { test } from 'node:test';
import { describePacked, packedTokens, unpad } from '../support/batch.ts';
import { CONFIG_SPELLINGS, folder, type GoldenCase, tolerance, withSpelling } from '../support/golden.ts';

interface ForwardCase extends GoldenCase {
  readonly temperature: number;
}

const { cases, tally, file } = folder<ForwardCase>('forward');

for (const [name, wanted] of cases) {
  const t = (key: string) => tolerance(wanted.tolerances, key);
  for (const spelling of CONFIG_SPELLINGS) {
    test(`forward ${name} (${spelling})`, async () => {
      const expected = file(name);
      const { tokens, offsets } = packedTokens(expected, 'packed.');
      await withSpelling(wanted.checkpoint, spelling, async (model) => {
        const { logits, hidden } = await model.forward(tokens, offsets);
        tally.close(`${name} logits`, logits, expected.numbers('logits.float64'), t('logits'));

        // The manifest gives no tolerance for the residual stream. Its relative error cannot be far above that of the
        // logits, which are computed from it.
        const streams = expected.under('hidden.').length;
        const size = hidden.length / streams;
        for (let i = 0; i < streams; i++) {
          const allowed = wanted.tolerances['hidden'] ?? { rel_l2_tol: 2 * (t('logits').rel_l2_tol ?? 1e-6) };
          const stream = hidden.subarray(i * size, (i + 1) * size);
          tally.close(`${name} hidden.${i}`, stream, expected.numbers(`hidden.${i}`), allowed);
        }

        const padded = unpad(expected, 'padded.input_ids', 'padded.attention_mask');
        const batches = { packed: { tokens, offsets }, padded: { tokens: padded.values, offsets: padded.offsets } };
        for (const [kind, batch] of Object.entries(batches)) {
          for (const [suffix, temperature] of [
            ['', 1],
            ['_temp', wanted.temperature],
          ] as const) {
            const options = { temperature, weights: 'policy', microBatchTokens: 8192 } as const;
            const { logprob, entropy } = await model.score(describePacked(batch), options);
            const [p, h] = [`token_logprob${suffix}`, `token_entropy${suffix}`];
            tally.close(`${name} ${p} (${kind})`, logprob, expected.numbers(p), t(p));
            tally.close(`${name} ${h} (${kind})`, entropy, expected.numbers(h), t(h));
          }
        }
      });
      tally.cases++;
    });
  }
}
