import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseConfig } from '../../lib/config/load.ts';
import { TaskBuffer } from '../../lib/curriculum/buffer.ts';
import { Coverage } from '../../lib/curriculum/coverage.ts';
import { STRATEGIES } from '../../lib/curriculum/strategies.ts';
import { createEnvironment } from '../../lib/environments/create.ts';
import { type Learner, train } from '../../lib/loop.ts';
import { throughFile } from '../support/buffers.ts';
import { FakeModel } from '../support/fake-model.ts';

const SETTINGS = [
  '{ sampling: softmax, decay: 0.8, staleness: 0.3, maxAge: 3 }',
  '{ sampling: rank, beta: 0.5, decay: 0.8, staleness: 0.5, maxAge: 2, rescore: false }',
  '{ sampling: top, topK: 6, staleness: 0.1, maxAge: 4, children: random }',
];

for (const settings of SETTINGS) {
  test(`a run with ${settings} that stops after every step is the run that never stops`, async () => {
    const config = parseConfig({
      name: 'test.yaml',
      text: `
        environment: { name: codebreak }
        model: { decoder: {} }
        curriculum: ${settings.replace('{', '{ capacity: 30, minimum: 5,')}
        rollout: { groups: 6, groupSize: 4 }
        train: { steps: 10 }`,
    });
    const learner = (): Learner => ({
      ...{ config, strategy: STRATEGIES.diverge, environment: createEnvironment(config.environment) },
      ...{ addon: { release: () => {} }, model: new FakeModel(6, 10).asNative() },
      ...{ buffer: new TaskBuffer(config.curriculum), coverage: new Coverage() },
    });
    const whole: unknown[] = [];
    for await (const { stats } of train(learner())) whole.push(stats);
    const pieces: unknown[] = [];
    let current = learner();
    for (let step = 0; step < 10; step++) {
      for await (const { stats } of train(current, step)) {
        pieces.push(stats);
        break;
      }
      const next = learner();
      const saved = await throughFile({ buffer: current.buffer.save(), coverage: current.coverage.save() });
      next.buffer.restore(saved.buffer);
      next.coverage.restore(saved.coverage);
      (next.model as unknown as FakeModel).weight = (current.model as unknown as FakeModel).weight;
      current = next;
    }
    assert.deepEqual(pieces, whole);
    const replayed = (whole as Record<string, number>[]).reduce((sum, stats) => sum + stats['replayed']!, 0);
    assert.ok(replayed > 1);
  });
}
