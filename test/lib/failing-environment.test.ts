// A verifier that breaks down in the middle of a run must not cost the steps before.
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import { parseConfig } from '../../lib/config/load.ts';
import type { Environment } from '../../lib/environments/environment.ts';
import { ENVIRONMENTS } from '../../lib/environments/registry.ts';
import { latestCheckpoint } from '../../lib/runs/checkpoint.ts';
import { runExperiment } from '../../lib/runs/experiment.ts';
import { createRun, openRun } from '../../lib/runs/run-folder.ts';
import { addon } from '../support/addon.ts';
import { inTemporaryFolder } from '../support/cli.ts';

const text = `
  environment: { name: codebreak, length: 2 }
  model: { decoder: { width: 16, layers: 1, heads: 2, feedForward: 16 } }
  rollout: { groups: 4, groupSize: 4 }
  curriculum: { capacity: 30, minimum: 4 }
  evaluation: { every: 0, final: [0], finalInstances: 4 }
  train: { steps: 6 }`;
const silent = { phase: () => {}, step: () => {}, warn: () => {} };

test('a run whose environment fails keeps its finished steps and goes on from there', () =>
  inTemporaryFolder(async (folder) => {
    const { codebreak } = ENVIRONMENTS;
    const path = join(folder, 'run');
    const config = parseConfig({ name: 'test.yaml', text });
    let judged = 0;
    const breaking = (settings: Parameters<typeof codebreak.create>[0]): Environment => {
      const environment = codebreak.create(settings);
      return Object.assign(Object.create(environment) as Environment, {
        judge: (instance: unknown, answer: Int32Array) => {
          if (judged++ >= 3 * 16) throw new Error('the sandbox is gone');
          return environment.judge(instance, answer, []);
        },
        task: environment.task.bind(environment),
        prompt: environment.prompt.bind(environment),
        show: environment.show.bind(environment),
      });
    };
    Object.assign(ENVIRONMENTS, { codebreak: { ...codebreak, create: breaking } });
    try {
      const run = runExperiment(addon, createRun(path, config, {}), silent, { requested: false });
      await assert.rejects(run, /codebreak: no attempt could be judged.*the sandbox is gone.*resume/);
    } finally {
      Object.assign(ENVIRONMENTS, { codebreak });
    }
    assert.equal(latestCheckpoint(join(path, 'checkpoints'))!.state.step, 3);
    const results = await runExperiment(addon, openRun(path), silent, { requested: false });
    assert.equal(results['improve']!.points.length, 1);
    assert.equal(latestCheckpoint(join(path, 'checkpoints'))!.state.step, 6);
  }));
