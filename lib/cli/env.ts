// exit-rl env: play an environment by hand. See what the policy sees, type an answer, see what it is worth.
import { createInterface } from 'node:readline/promises';
import type { CommandModule } from 'yargs';
import { parseConfig } from '../config/load.ts';
import { createEnvironment, isInWords } from '../environments/create.ts';
import { episodeQuality, isOver } from '../environments/episode.ts';
import type { Environment } from '../environments/environment.ts';
import { ENVIRONMENTS } from '../environments/registry.ts';
import { suggestion, UsageError } from '../errors.ts';
import { openChat } from '../model.ts';
import { reward } from '../rewards/reward.ts';
import { judge } from '../rollout/judge.ts';
import { chatCodec } from '../text/codec.ts';
import type { Attempt } from '../types.ts';
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
    if (!(name in ENVIRONMENTS)) {
      const known = Object.keys(ENVIRONMENTS);
      throw new UsageError(`no environment named "${name}"${suggestion(name, known)}; there are: ${known.join(', ')}`);
    }
    const settings = [`environment.name=${name}`, ...set.map((assignment) => `environment.${assignment}`)];
    const text = 'model: { decoder: {} }';
    const { environment: difficulty } = parseConfig({ name: 'env', text, set: settings, generated: true });
    const codec = isInWords(difficulty) ? chatCodec(openChat(model ?? null)) : null;
    const environment = createEnvironment(difficulty, codec);
    const read = codec === null ? symbolReader(environment) : (line: string) => codec.answer(line);
    await play(environment, environment.task(wholeNumber('instance', number), 'held_out'), read);
  },
};

/** Turn by turn: an answer, improvements of it, an empty line when it shall stand. */
async function play(environment: Environment, instance: unknown, read: (line: string) => Int32Array): Promise<void> {
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
  const ids = Array.from({ length: environment.vocabularySize }, (_, id) => id);
  const symbols = new Map(ids.map((id) => [environment.show(Int32Array.of(id)).trim(), id]));
  return (line) =>
    Int32Array.from(line.trim().split(/\s+/), (symbol) => {
      const id = symbols.get(symbol);
      if (id === undefined)
        throw new UsageError(`"${symbol}" is no symbol here; there are: ${[...symbols.keys()].join(' ')}`);
      return id;
    });
}
