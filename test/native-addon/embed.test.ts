// Mean-pooled hidden states, against those that forward() returns.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { addon } from '../support/addon.ts';
import { describePacked, pack } from '../support/batch.ts';
import { checkpointPath, withModel } from '../support/golden.ts';
import { FAMILIES } from '../support/rollouts.ts';

const SEQUENCES = [[1, 2, 3, 4, 5, 6, 7], [1, 2, 3, 4, 9], [1, 2, 3, 4, 5, 8], [11]];
const TRAINED = [[4, 5, 6], [4], [0, 5], []];

for (const family of FAMILIES) {
  test(`${family}: embeddings are the mean of the hidden states in the mask`, () =>
    withModel(checkpointPath(family), async (model) => {
      const { tokens, offsets } = pack(SEQUENCES);
      const mask = SEQUENCES.flatMap((row, r) => row.map((_, i) => (TRAINED[r]!.includes(i) ? 1 : 0)));
      const { hidden } = await model.forward(tokens, offsets);
      const width = (JSON.parse(model.config) as { hidden_size: number }).hidden_size;
      const last = hidden.subarray(hidden.length - tokens.length * width);
      const batch = describePacked({ tokens, offsets, loss_mask: mask, advantage: [0, 0, 0, 0] });
      for (const microBatchTokens of [8192, 1]) {
        const embeddings = await model.embed(batch, { microBatchTokens });
        assert.equal(embeddings.length, SEQUENCES.length * width);
        for (const [r, row] of SEQUENCES.entries()) {
          // Without any token in the mask: all of them.
          const rows = TRAINED[r]!.length > 0 ? TRAINED[r]! : row.map((_, i) => i);
          for (let c = 0; c < width; c++) {
            const want = rows.reduce((sum, i) => sum + last[(offsets[r]! + i) * width + c]!, 0) / rows.length;
            assert.ok(Math.abs(embeddings[r * width + c]! - want) <= 1e-6 * Math.max(1, Math.abs(want)));
          }
        }
        addon.release(embeddings.buffer as ArrayBuffer);
      }
    }));
}

test('embed refuses what it cannot read', () =>
  withModel(checkpointPath(FAMILIES[0]!), async (model) => {
    const { tokens, offsets } = pack([[1, 2]]);
    await assert.rejects(model.embed(describePacked({ tokens, offsets }), { microBatchTokens: 10 }), /loss_mask/);
    await assert.rejects(
      model.embed(describePacked({ tokens, offsets, loss_mask: [0, 1] }), { microBatchTokens: 0 }),
      /microBatchTokens/,
    );
  }));
