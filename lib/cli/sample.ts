// exit-rl sample: watch a model improve its answers.
import type { CommandModule } from 'yargs';
import { createEnvironment } from '../environments/create.ts';
import { deriveSeed } from '../rng.ts';
import { selfIterate } from '../rollout/self-iterate.ts';
import { savedModels } from './checkpoints.ts';
import { loadEngine } from './engine.ts';
import { declare, nonNegative, wholeNumber } from './options.ts';

interface Arguments {
  run: string;
  instance: string;
  k: string;
  temperature: string;
  seed: string;
  step?: string;
  json?: boolean;
}

export const sample: CommandModule<object, Arguments> = {
  command: 'sample <run>',
  describe: 'Answer one held-out instance and improve the answer k times',
  builder: (argv) =>
    declare(
      'sample',
      argv.positional('run', { type: 'string', describe: 'Folder of a run, of one of its arms, or of a checkpoint' }),
      {
        instance: { type: 'string', requiresArg: true, default: '0', describe: 'Number of the held-out instance' },
        k: { type: 'string', requiresArg: true, default: '8', describe: 'Steps of self-iteration' },
        temperature: { type: 'string', requiresArg: true, default: '1', describe: '0: greedy' },
        seed: { type: 'string', requiresArg: true, default: '1', describe: 'Seed of the sampling' },
        step: { type: 'string', requiresArg: true, describe: 'Checkpoint of this step (default: the newest)' },
        json: { type: 'boolean', describe: 'Print one JSON object per attempt' },
      },
      ['run'],
    ) as never,
  handler: async (args) => {
    const number = wholeNumber('instance', args.instance);
    const steps = wholeNumber('k', args.k);
    const temperature = nonNegative('temperature', args.temperature);
    const seed = deriveSeed(wholeNumber('seed', args.seed), 'sample', number);
    const { name, path, config } = savedModels(
      args.run,
      args.step === undefined ? null : wholeNumber('step', args.step),
    ).at(-1)!;
    const addon = await loadEngine();
    const environment = createEnvironment(config.environment);
    const instance = environment.task(number, 'held_out');
    const model = await addon.loadModel(path);
    const limits = { topK: 0, topP: 1, minP: 0, maxRunning: 1, pages: 0, prefillTokens: 2048 };
    const rounds = selfIterate(model, addon.release, environment, [instance], steps, { ...limits, temperature, seed });
    if (!args.json) {
      process.stdout.write(
        `${name}, held-out instance ${number}\nrequest   ${environment.show(environment.prompt(instance, 'base', null, []))}\n`,
      );
    }
    let k = 0;
    for await (const [attempt] of rounds) {
      const answer = attempt ? environment.show(attempt.tokens) : null;
      const feedback = attempt ? environment.show(attempt.feedback) : null;
      const quality = attempt?.quality ?? null;
      if (args.json) process.stdout.write(`${JSON.stringify({ k, answer, feedback, quality })}\n`);
      else
        process.stdout.write(
          `k = ${String(k).padEnd(5)} ${answer ?? '(not judged)'}   ${feedback ?? ''}   ${quality?.toFixed(3) ?? ''}\n`,
        );
      k++;
    }
    model.close();
  },
};
