// bfloat16 against the float64 run: an error of at most three times that of a naive implementation, which keeps weights and
// every intermediate result in bfloat16 (the manifests hold its errors); and rollout = training bit for bit.
import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import type { NativeModel } from '../../lib/native/addon.ts';
import { addon } from '../support/addon.ts';
import { packedTokens, supervised } from '../support/batch.ts';
import { difference } from '../support/compare.ts';
import { checkpointPath, folder, type GoldenCase } from '../support/golden.ts';
import { assertExact, FAMILIES, generate, makePrompts, trainingBatch } from '../support/rollouts.ts';
import { NLL, TRAIN } from '../support/settings.ts';

interface ForwardCase extends GoldenCase {
  readonly bfloat16_run: { readonly rel_l2_err_logits: number };
}
interface BackwardCase extends GoldenCase {
  readonly bfloat16_run: { readonly loss_err: number };
  readonly parameters: Readonly<Record<string, { readonly rel_l2_err_bf16?: number }>>;
}

const ALLOWED = 3;
const own = addon.doctor().bf16;
const UNITS = [...new Set(['vector', 'emulated', own])];
const shares: Record<string, number[]> = { logits: [], gradients: [] };
after(() => {
  addon.setBf16(own);
  for (const [name, values] of Object.entries(shares)) {
    const worst = Math.max(...values).toFixed(2);
    console.log(
      `bfloat16 ${name}: ${values.length} compared, at most ${worst} times the error of a naive implementation`,
    );
  }
});

async function inBfloat16<T>(checkpoint: string, use: (model: NativeModel) => Promise<T>): Promise<T> {
  const model = await addon.loadModel(checkpointPath(checkpoint), { dtype: 'bfloat16' });
  try {
    return await use(model);
  } finally {
    model.close();
  }
}

function within(kind: 'logits' | 'gradients', what: string, error: number, naive: number): void {
  shares[kind]!.push(error / naive);
  assert.ok(error > 0, `${what}: no error at all: was bfloat16 used?`);
  assert.ok(error <= ALLOWED * naive, `${what}: error ${error}, a naive implementation has ${naive}`);
}

const forward = folder<ForwardCase>('forward', { title: null });
const backward = folder<BackwardCase>('backward', { title: null });

for (const unit of UNITS) {
  for (const [name, wanted] of forward.cases) {
    test(`bfloat16 (${unit}) logits of ${name}`, async () => {
      addon.setBf16(unit);
      const expected = forward.file(name);
      const { tokens, offsets } = packedTokens(expected, 'packed.');
      await inBfloat16(wanted.checkpoint, async (model) => {
        const { logits } = await model.forward(tokens, offsets);
        const { relL2 } = difference(logits, expected.numbers('logits.float64'));
        within('logits', name, relL2, wanted.bfloat16_run.rel_l2_err_logits);
      });
    });
  }

  for (const [name, wanted] of backward.cases) {
    test(`bfloat16 (${unit}) gradients of ${name}`, async () => {
      addon.setBf16(unit);
      const expected = backward.file(name);
      const { tokens, offsets } = packedTokens(expected, 'packed.');
      await inBfloat16(wanted.checkpoint, async (model) => {
        await model.accumulate(supervised(tokens, offsets, expected.ints('packed.loss_mask')), NLL, TRAIN);
        for (const [parameter, { rel_l2_err_bf16: naive }] of Object.entries(wanted.parameters)) {
          if (naive === undefined || !expected.has(`grad.${parameter}`)) continue;
          const { relL2 } = difference(model.read(parameter, 'gradient'), expected.numbers(`grad.${parameter}`));
          within('gradients', `${name} ${parameter}`, relL2, naive);
        }
      });
    });
  }

  for (const family of FAMILIES) {
    test(`bfloat16 (${unit}) ${family}: recorded = scored, also after an update`, async () => {
      addon.setBf16(unit);
      await inBfloat16(family, async (model) => {
        const prompts = makePrompts(model);
        const { rows } = await generate(model, prompts, { maxRunning: 5, prefillTokens: 9 });
        await assertExact('fresh', model, rows, 1);
        const { mismatch } = await model.accumulate(trainingBatch(rows), NLL, TRAIN);
        assert.equal(mismatch, 0);
        await model.update({ ...ADAMW, lr: 1e-2 });
        const later = await generate(model, prompts, {});
        assert.notDeepEqual(
          later.rows.map((row) => [...row.tokens]),
          rows.map((row) => [...row.tokens]),
        );
        await assertExact('after an update', model, later.rows, 1);
      });
    });
  }
}

const ADAMW = { beta1: 0.9, beta2: 0.95, eps: 1e-8, weightDecay: 0, decay: 'none', maxGradNorm: 1 } as const;

test('bfloat16 halves the weights that forward passes read, and an unknown type is refused', async () => {
  const request = { prompts: 1, samplesPerPrompt: 1, promptTokens: 8, newTokens: 8, maxRunning: 1, prefillTokens: 8 };
  const weights = async (dtype: 'float32' | 'bfloat16'): Promise<number> => {
    const model = await addon.loadModel(checkpointPath(FAMILIES[0]!), { dtype });
    const plan = model.plan({ ...request, keepPrefixes: false, ...TRAIN, reference: false });
    model.close();
    return plan.segments.find(({ name }) => name === 'policy weights')!.bytes;
  };
  const [full, half] = [await weights('float32'), await weights('bfloat16')];
  assert.ok(half < 0.8 * full && half > 0.7 * full, `${half} bytes of ${full}`);
  await assert.rejects(
    addon.loadModel(checkpointPath(FAMILIES[0]!), { dtype: 'float16' as never }),
    /options\.dtype must be one of float32, bfloat16, it is "float16"/,
  );
});
