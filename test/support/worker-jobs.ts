// Runs in a worker thread: starts endless jobs, says so, and is terminated in the middle of them.
import { parentPort, workerData } from 'node:worker_threads';
import { addon } from './addon.ts';
import { prompts } from './batch.ts';
import { GENERATE } from './settings.ts';

const { checkpoint, jobs } = workerData as { checkpoint: string; jobs: number };
const model = await addon.loadModel(checkpoint);
const scored = await model.score(prompts([[1, 2, 3, 4, 5]]), {
  temperature: 1,
  weights: 'policy',
  microBatchTokens: 64,
});
const long = { ...GENERATE, samplesPerPrompt: 64, maxNewTokens: 200 };
for (let i = 0; i < jobs; i++)
  void model.generate(prompts(Array.from({ length: 64 }, () => [1, 2, 3])), long).catch(() => {});
parentPort!.postMessage(scored.logprob);
