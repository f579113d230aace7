// Greedy continuations token by token, alone and as a batch, with and without stop tokens; logits of the first steps;
// sampling filters.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { addon } from '../support/addon.ts';
import { pack, prompts, unpad } from '../support/batch.ts';
import { rows } from '../support/generated.ts';
import { checkpointPath, folder, type GoldenCase, tolerance, withModel } from '../support/golden.ts';
import { GENERATE } from '../support/settings.ts';

interface GenerateCase extends GoldenCase {
  readonly prompts: readonly string[];
  readonly new_tokens: number;
}

interface Filters {
  readonly filters?: {
    readonly settings: Readonly<Record<string, number>>;
    readonly tokens_kept: Readonly<Record<string, readonly number[]>>;
    readonly atol: number;
  };
}

const { manifest, cases, tally, file } = folder<GenerateCase, Filters>('generate');

for (const [name, wanted] of cases) {
  test(`generate ${name}`, async () => {
    const expected = file(name);
    const count = wanted.prompts.length;
    const logits = tolerance(wanted.tolerances, 'logits');
    const greedy = { ...GENERATE, temperature: 0, maxNewTokens: wanted.new_tokens };
    await withModel(checkpointPath(wanted.checkpoint), async (model) => {
      for (let j = 0; j < count; j++) {
        const [prompt, continuation] = [expected.ints(`prompt${j}`), expected.ints(`continuation${j}`)];
        const [row] = rows(await model.generate(prompts([prompt]), greedy));
        assert.deepEqual([...row!.completion], [...continuation], `${name}, prompt ${j} alone`);
        assert.equal(row!.finishReason, 2);
        // Errors of a log-probability: that of its logit and that of the normaliser.
        const raw = row!.rawLogprob.subarray(prompt.length);
        const allowed = { atol: 2 * (logits.atol ?? 1e-5) };
        tally.close(`${name} continuation_logprob${j}`, raw, expected.numbers(`continuation_logprob${j}`), allowed);

        const [steps, vocabulary] = expected.get(`logits${j}`).shape as [number, number];
        const { tokens, offsets } = pack([[...prompt, ...continuation.subarray(0, steps - 1)]]);
        const forward = await model.forward(tokens, offsets);
        const own = forward.logits.subarray((prompt.length - 1) * vocabulary);
        tally.close(`${name} logits${j}`, own, expected.numbers(`logits${j}`), logits);
      }

      const left = unpad(expected, 'batch.input_ids', 'batch.attention_mask');
      const batch = Array.from({ length: count }, (_, j) => left.values.subarray(left.offsets[j], left.offsets[j + 1]));
      const together = rows(await model.generate(prompts(batch), greedy));
      const continuations = expected.ints('batch.continuation');
      together.forEach((row, j) => {
        const wantedRow = continuations.subarray(j * wanted.new_tokens, (j + 1) * wanted.new_tokens);
        assert.deepEqual([...row.completion], [...wantedRow], `${name}, prompt ${j} in the batch`);
      });

      const stopTokens = [...expected.ints('stop.token_ids')];
      const stopped = rows(await model.generate(prompts(batch), { ...greedy, stopTokens }));
      const [shorter, lengths] = [expected.ints('stop.continuation'), expected.ints('stop.lengths')];
      const width = shorter.length / count;
      stopped.forEach((row, j) => {
        const wantedRow = [...shorter.subarray(j * width, j * width + lengths[j]!)];
        assert.deepEqual([...row.completion], wantedRow, `${name}, prompt ${j} with stop tokens`);
        assert.equal(row.finishReason, stopTokens.includes(wantedRow.at(-1)!) ? 0 : 2, `${name}, finish reason ${j}`);
      });
    });
    tally.cases++;
  });
}

/** Which filters a name like temperature_top_k_top_p switches on. */
function filterSettings(name: string, all: Readonly<Record<string, number>>) {
  const on = (key: string): boolean => name === 'all' || `_${name}_`.includes(`_${key}_`);
  const value = (key: string, off: number): number => (on(key) ? (all[key] ?? off) : off);
  return {
    temperature: value('temperature', 1),
    topK: value('top_k', 0),
    topP: value('top_p', 1),
    minP: value('min_p', 0),
    repetitionPenalty: value('repetition_penalty', 1),
  };
}

for (const name of Object.keys(manifest.filters?.tokens_kept ?? {})) {
  test(`filter ${name}`, () => {
    const { settings, tokens_kept, atol } = manifest.filters!;
    const expected = file('filters');
    const [count, vocabulary] = expected.get('logits').shape as [number, number];
    const width = expected.get('context_ids').shape[1]!;
    const logits = Float32Array.from(expected.numbers('logits'));
    const context = expected.ints('context_ids');
    const [keep, probability] = [expected.ints(`${name}.keep`), expected.numbers(`${name}.probability`)];
    for (let r = 0; r < count; r++) {
      const [begin, end] = [r * vocabulary, (r + 1) * vocabulary];
      const own = context.slice(r * width, (r + 1) * width);
      const got = addon.filteredDistribution(logits.slice(begin, end), filterSettings(name, settings), own);
      const kept = Array.from(got, (p) => (p > 0 ? 1 : 0));
      assert.deepEqual(kept, [...keep.subarray(begin, end)], `${name}, row ${r}: tokens kept`);
      assert.equal(kept.filter(Boolean).length, tokens_kept[name]![r]);
      tally.close(`${name} row ${r}`, got, probability.subarray(begin, end), { atol });
    }
    tally.cases++;
  });
}
