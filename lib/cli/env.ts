// exit-rl env: play an environment by hand. See what the policy sees, type an answer, see what it is worth.
import { createInterface } from 'node:readline/promises';
import type { CommandModule } from 'yargs';
import { episodeQuality, isOver } from '../environments/episode.ts';
import type { Environment } from '../environments/environment.ts';
import { ENVIRONMENTS } from '../environments/registry.ts';
import { readSymbols, symbolsOf } from '../environments/symbols.ts';
import { UsageError } from '../errors.ts';
import { reward } from '../rewards/reward.ts';
import { judge } from '../rollout/judge.ts';
import type { Attempt } from '../types.ts';
import { environmentByName } from './environments.ts';
import { declare, wholeNumber } from './options.ts';

interface Arguments {
  name: string;
  instance: string;
  set?: string[];
  model?: string;
}

export const env: CommandModule<object, Arguments> = {
  command: 'env <name>',
  describe: 'Play an environment by hand: see the prompt, type an answer, see its reward',
  builder: (argv) =>
    declare(
      'env',
      argv.positional('name', { type: 'string', demandOption: true, describe: Object.keys(ENVIRONMENTS).join(', ') }),
      {
        instance: { type: 'string', requiresArg: true, default: '0', describe: 'Number of the held-out instance' },
        set: { type: 'string', array: true, nargs: 1, describe: 'Difficulty: --set length=4' },
        model: { type: 'string', requiresArg: true, describe: 'Folder of the tokenizer that words go through' },
      },
      ['name'],
    ) as never,
  handler: async ({ name, instance: number, set = [], model }) => {
    const { environment, codec } = environmentByName(name, set, model ?? null);
    const read = codec === null ? symbolReader(environment) : (line: string) => codec.answer(line);
    await play(environment, environment.task(wholeNumber('instance', number), 'held_out'), read);
  },
};

/** Turn by turn: an answer, improvements of it, an empty line when it shall stand. */
async function play(environment: Environment, instance: unknown, read: (line: string) => Int32Array): Promise<void> {
  await environment.prepare?.([instance]);
  const history: Attempt[] = [];
  let previous: Attempt | null = null;
  const say = (text: string): boolean => process.stdout.write(`${text}\n`);
  const show = (): boolean =>
    say(
      `prompt     ${environment.show(environment.prompt(instance, previous === null ? 'base' : 'improve', previous, history))}`,
    );
  const lines = createInterface({ input: process.stdin, output: process.stderr, prompt: 'answer     ' });
  say('Type an answer; then better ones, or nothing to let it stand.');
  show();
  lines.prompt();
  for await (const line of lines) {
    if (line.trim() !== '') {
      const tokens = read(line);
      const { attempt, status, reason } = await judge(environment, instance, tokens, history);
      if (attempt === null) say(`not judged: ${reason}`);
      else {
        const gain = previous === null ? '' : `   gain ${(attempt.quality - previous.quality).toFixed(3)}`;
        say(
          `${status.padEnd(10)} quality ${attempt.quality.toFixed(3)}${gain}   feedback ${environment.show(attempt.feedback)}`,
        );
        const outcome = { attempt, previous, history, later: [], rule: environment.episodeQuality };
        const parts = ['plain', 'improvement', 'signed'] as const;
        say(`reward     ${parts.map((kind) => `${kind} ${reward(kind, outcome)!.toFixed(3)}`).join('   ')}`);
        previous = attempt;
      }
    } else if (previous !== null) {
      history.push(previous);
      previous = null;
      if (isOver(environment, instance, history)) break;
    }
    show();
    lines.prompt();
  }
  lines.close();
  if (isOver(environment, instance, history))
    say(`the episode: ${episodeQuality(history, environment.episodeQuality).toFixed(3)}`);
}

/** Symbols as the environment shows them, separated by spaces. */
function symbolReader(environment: Environment): (line: string) => Int32Array {
  const symbols = symbolsOf(environment);
  return (line) =>
    readSymbols(line, symbols, (symbol) => {
      throw new UsageError(`"${symbol}" is no symbol here; there are: ${[...symbols.keys()].join(' ')}`);
    });
}
