// exit-rl sample: watch a model improve its answers.
import type { CommandModule } from 'yargs';
import { episodeQuality, isOver } from '../environments/episode.ts';
import { openEnvironment, openFolder } from '../model.ts';
import type { Environment } from '../environments/environment.ts';
import { deriveSeed } from '../rng.ts';
import { selfIterate } from '../rollout/self-iterate.ts';
import type { Attempt } from '../types.ts';
import { savedModels } from './checkpoints.ts';
import { loadEngine } from './engine.ts';
import { BASE, DEVICE, declare, nonNegative, onDevice, wholeNumber } from './options.ts';

interface Arguments {
  run: string;
  instance: string;
  k: string;
  temperature: string;
  seed: string;
  step?: string;
  base?: string;
  device?: string;
  json?: boolean;
}

export const sample: CommandModule<object, Arguments> = {
  command: 'sample <run>',
  describe: 'Play one held-out instance: in every turn an answer that is improved k times',
  builder: (argv) =>
    declare(
      'sample',
      argv.positional('run', { type: 'string', describe: 'Folder of a run, of one of its arms, or of a checkpoint' }),
      {
        instance: { type: 'string', requiresArg: true, default: '0', describe: 'Number of the held-out instance' },
        k: { type: 'string', requiresArg: true, default: '8', describe: 'Steps of self-iteration in every turn' },
        temperature: { type: 'string', requiresArg: true, default: '1', describe: '0: greedy' },
        seed: { type: 'string', requiresArg: true, default: '1', describe: 'Seed of the sampling' },
        step: { type: 'string', requiresArg: true, describe: 'Checkpoint of this step (default: the newest)' },
        ...BASE,
        ...DEVICE,
        json: { type: 'boolean', describe: 'Print one JSON object per attempt' },
      },
      ['run'],
    ) as never,
  handler: async (args) => {
    const number = wholeNumber('instance', args.instance);
    const steps = wholeNumber('k', args.k);
    const temperature = nonNegative('temperature', args.temperature);
    const seed = deriveSeed(wholeNumber('seed', args.seed), 'sample', number);
    const { base = null } = args;
    const step = args.step === undefined ? null : wholeNumber('step', args.step);
    const { name, path, config } = savedModels(args.run, step, base).at(-1)!;
    const addon = await loadEngine();
    const environment = openEnvironment(config);
    const instance = environment.task(number, 'held_out');
    await environment.prepare?.([instance]);
    const model = await openFolder(addon, path, { ...onDevice(config.model, args.device), base });
    const limits = { topK: 0, topP: 1, minP: 0, maxRunning: 1, pages: 0, prefillTokens: 2048 };
    if (!args.json) process.stdout.write(`${name}, held-out instance ${number}\n`);
    const history: Attempt[] = [];
    for (let turn = 0; turn === history.length && !isOver(environment, instance, history); turn++) {
      const request = environment.show(environment.prompt(instance, 'base', null, history));
      if (!args.json) process.stdout.write(`${turnTitle(turn, environment.turns)}request   ${request}\n`);
      const sampling = { ...limits, temperature, seed, firstSequence: turn * (steps + 1) };
      const histories = [[...history]];
      const rounds = selfIterate(model, addon.release, environment, [instance], steps, sampling, { histories });
      let k = 0;
      for await (const [attempt] of rounds) {
        const answer = attempt ? environment.show(attempt.tokens) : null;
        const feedback = attempt ? environment.show(attempt.feedback) : null;
        const quality = attempt?.quality ?? null;
        if (args.json) process.stdout.write(`${JSON.stringify({ turn, request, k, answer, feedback, quality })}\n`);
        else {
          const shown = `${answer ?? '(not judged)'}   ${feedback ?? ''}   ${quality?.toFixed(3) ?? ''}`;
          process.stdout.write(`k = ${String(k).padEnd(5)} ${shown}\n`);
        }
        if (k++ === steps && attempt) history.push(attempt); // the last answer stands
      }
    }
    model.close();
    if (!args.json && environment.turns > 1) process.stdout.write(`\n${ending(environment, instance, history)}\n`);
  },
};

const turnTitle = (turn: number, turns: number): string => (turns === 1 ? '' : `\nturn ${turn + 1} of ${turns}\n`);

function ending(environment: Environment, instance: unknown, history: readonly Attempt[]): string {
  if (isOver(environment, instance, history))
    return `the episode: ${episodeQuality(history, environment.episodeQuality).toFixed(3)}`;
  return `the last answer of turn ${history.length + 1} could not be judged: the episode ends there`;
}
