// llama.cpp through node-llama-cpp's binding: separate prompts, then one token per sequence and step, all sequences in one
// batch. `sample`: with llama.cpp's sampler at temperature 1; without, the next token is any, as in llama.cpp's own batched bench.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { pathToFileURL } from 'node:url';

const s = JSON.parse(process.argv[2]);
const folder = join(s.folder, 'node_modules', 'node-llama-cpp');
const { getLlama } = await import(pathToFileURL(join(folder, 'dist', 'index.js')));
const llama = await getLlama({ gpu: false, build: 'never', progressLogs: false, logLevel: 'error', maxThreads: s.threads });
const { AddonModel, AddonContext, AddonSampler } = llama._bindings;

const model = new AddonModel(s.file, { addonExports: llama._bindings, gpuLayers: 0, useMmap: true });
if (!(await model.init())) throw new Error(`llama.cpp does not load ${s.file}`);
const [P, N, sequences] = [s.promptTokens, s.newTokens, s.prompts];
const room = Math.max(512, sequences);
const context = new AddonContext(model, {
  contextSize: sequences * (P + N), batchSize: room, sequences, threads: s.threads, flashAttention: 'auto',
});
if (!(await context.init())) throw new Error('llama.cpp makes no context');
const sampler = new AddonSampler(model);

let state = 1;
const anyToken = () => {
  state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
  return 2 + ((state >>> 8) % (s.model.vocabulary - 2));
};
const prompts = s.tokens ?? Array.from({ length: sequences }, () => Array.from({ length: P }, anyToken));

/** Evaluates `parts` (sequence, first position, tokens) and gives the sequences' next tokens. */
async function decode(parts) {
  context.initBatch(parts.reduce((sum, [, , tokens]) => sum + tokens.length, 0));
  const at = parts.map(([id, position, tokens]) =>
    context.addToBatch(id, position, Uint32Array.from(tokens), Uint32Array.of(tokens.length - 1))[0]);
  await context.decodeBatch();
  const next = [];
  for (const i of at) next.push(s.sample ? await context.sampleToken(i, sampler) : anyToken());
  return next;
}

async function generate(seed) {
  sampler.applyConfig(s.greedy ? { temperature: 0 } : { temperature: 1, topK: 0, topP: 1, minP: 0, seed });
  for (let id = 0; id < sequences; id++) context.disposeSequence(id);
  const out = prompts.map(() => []);
  let next = [];
  for (let id = 0; id < sequences; ) {
    const together = Math.min(sequences - id, Math.max(1, Math.floor(room / P)));
    next.push(...(await decode(prompts.slice(id, id + together).map((tokens, i) => [id + i, 0, tokens]))));
    id += together;
  }
  for (let step = 1; ; step++) {
    next.forEach((token, id) => out[id].push(token));
    if (step === N) return out;
    next = await decode(next.map((token, id) => [id, P + step - 1, [token]]));
  }
}

const say = (answer) => process.stdout.write(`${JSON.stringify(answer)}\n`);
const first = await generate(0);
const { version } = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'));
const { tag } = JSON.parse(readFileSync(join(folder, 'llama', 'llama.cpp.info.json'), 'utf8'));
say({ ready: true, version: `llama.cpp ${tag}, node-llama-cpp ${version}`, ...(s.greedy ? { tokens: first } : {}) });
let seed = 1;
for await (const line of createInterface({ input: process.stdin })) {
  if (line.trim() === '') break;
  const start = process.hrtime.bigint();
  await generate(seed++);
  say({ seconds: Number(process.hrtime.bigint() - start) / 1e9 });
}
process.exit(0);
