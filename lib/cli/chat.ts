// exit-rl chat: talk to a model. Answers appear as they are sampled.
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline/promises';
import type { CommandModule } from 'yargs';
import { promptBatch } from '../batch/supervised.ts';
import { Sampled } from '../batch/sampled.ts';
import { UsageError } from '../errors.ts';
import { type EvaluationSampling, folderSampling } from '../evaluation/sampling.ts';
import { openFolder, weightsFolder } from '../model.ts';
import type { Addon, NativeModel } from '../native/addon.ts';
import { describeBatch } from '../native/bridge.ts';
import { ADAPTER_CONFIG, CONFIG } from '../runs/files.ts';
import { Chat } from '../text/chat.ts';
import type { Transcript } from '../text/transcript.ts';
import { savedModels } from './checkpoints.ts';
import { loadEngine } from './engine.ts';
import { BASE, DEVICE, declare, onDevice, wholeNumber } from './options.ts';
import { type SamplingArguments, samplingOptions, samplingWishes } from './sampling.ts';

interface Arguments extends SamplingArguments {
  model: string;
  system?: string;
  'max-tokens': string;
  seed: string;
  base?: string;
  device?: string;
}

/** Tokens sampled at a time: each piece goes on from the cache pages of the one before. */
const PIECE = 8;

export const chat: CommandModule<object, Arguments> = {
  command: 'chat <model>',
  describe: 'Talk to a model: a run, one of its checkpoints, or a Hugging Face folder',
  builder: (argv) =>
    declare(
      'chat',
      argv.positional('model', { type: 'string', demandOption: true, describe: 'Folder of a run or of a model' }),
      {
        system: { type: 'string', requiresArg: true, describe: 'System message' },
        ...samplingOptions("as the model's generation_config.json says"),
        'max-tokens': { type: 'string', requiresArg: true, default: '256', describe: 'Longest answer' },
        seed: { type: 'string', requiresArg: true, default: '1', describe: 'Seed of the sampling' },
        ...BASE,
        ...DEVICE,
      },
      ['model'],
    ) as never,
  handler: async (args) => {
    const wishes = samplingWishes(args);
    const { base = null } = args;
    const limit = wholeNumber('max-tokens', args['max-tokens'], 1);
    const seed = wholeNumber('seed', args.seed);
    const isModel = [CONFIG, ADAPTER_CONFIG].some((name) => existsSync(join(args.model, name)));
    const folder = isModel ? args.model : savedModels(args.model, null, base).at(-1)!.path;
    const weights = weightsFolder(folder, base);
    const talk = Chat.load(weights);
    const sampling = { ...folderSampling(weights), ...wishes };
    const addon = await loadEngine();
    const model = await openFolder(addon, folder, { device: onDevice({ device: 'cpu' }, args.device).device, base });
    const { max_position_embeddings: positions } = JSON.parse(model.config) as { max_position_embeddings: number };
    let transcript: Transcript | null = null;
    const lines = createInterface({ input: process.stdin, output: process.stderr, prompt: '> ' });
    lines.prompt();
    for await (const line of lines) {
      const user = { role: 'user', content: line };
      if (transcript === null) {
        const system = args.system === undefined ? [] : [{ role: 'system', content: args.system }];
        transcript = talk.transcript([...system, user]);
      } else transcript.append([user]);
      const room = positions - transcript.length;
      if (room < 1) throw new UsageError(`the conversation has reached the model's ${positions} positions`);
      const stopTokens = [...new Set([...transcript.stopTokens(), ...sampling.stopTokens])];
      const most = Math.min(limit, room);
      const settings = { ...sampling, seed, most, stopTokens };
      const answer = await stream(addon, model, talk, transcript.tokens(), settings);
      transcript.appendSampled(answer);
      process.stdout.write('\n');
      lines.prompt();
    }
    model.close();
  },
};

interface Sampling extends EvaluationSampling {
  readonly seed: number;
  /** Tokens, at most. */
  readonly most: number;
}

/** Samples an answer piece by piece and prints it; returns its tokens. The pieces are those that one call would give. */
async function stream(
  addon: Addon,
  model: NativeModel,
  { tokenizer }: Chat,
  prompt: Int32Array,
  { most, ...sampling }: Sampling,
): Promise<Int32Array> {
  const text = tokenizer.decodeStream({ skipSpecialTokens: true });
  let tokens = prompt;
  let ended = false;
  while (!ended && tokens.length < prompt.length + most) {
    const piece = Math.min(PIECE, prompt.length + most - tokens.length);
    const sampled = Sampled.of(
      await model.generate(describeBatch(promptBatch([tokens])), {
        ...{ ...sampling, samplesPerPrompt: 1, maxNewTokens: piece, stopSequences: [], firstSequence: 0 },
        ...{ pages: 0, maxRunning: 1, prefillTokens: 2048, keepPrefixes: true, embed: false },
      }),
    );
    const more = sampled.completion(0).slice();
    sampled.release(addon);
    for (const token of more) process.stdout.write(text.push(token));
    tokens = Int32Array.of(...tokens, ...more);
    ended = sampling.stopTokens.includes(more.at(-1)!);
  }
  process.stdout.write(text.end());
  return tokens.slice(prompt.length);
}
