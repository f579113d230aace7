// exit-rl verify: compares an answer with the right one and says why it decided so.
import { readFileSync } from 'node:fs';
import type { CommandModule } from 'yargs';
import { UsageError, UserError } from '../errors.ts';
import { PLACES, type Verification, verify } from '../math/verify.ts';
import { declare } from './options.ts';

interface Arguments {
  gold?: string;
  answer?: string;
  file?: string;
  strict?: boolean;
  json?: boolean;
}

export const verifyCommand: CommandModule<object, Arguments> = {
  command: 'verify',
  describe: 'Compare a mathematical answer with the right one, and say why',
  builder: (argv) =>
    declare('verify', argv, {
      gold: { type: 'string', requiresArg: true, describe: 'The right answer: LaTeX, plain mathematics or words' },
      answer: { type: 'string', requiresArg: true, describe: 'A whole response, or its answer alone' },
      file: {
        type: 'string',
        requiresArg: true,
        describe: 'JSON lines with gold and answer instead; prints one line each',
      },
      strict: { type: 'boolean', describe: 'Take only what is marked as the answer, as rewards do' },
      json: { type: 'boolean', describe: 'Print JSON' },
    }) as never,
  handler: ({ gold, answer, file, strict, json }) => {
    const options = { extraction: strict ? 'strict' : 'lenient' } as const;
    if (file !== undefined) {
      if (gold !== undefined || answer !== undefined) throw new UsageError('give --file, or --gold and --answer');
      let equal = 0;
      const rows = readPairs(file);
      for (const row of rows) {
        const verdict = verify(row.gold, row.answer, options);
        if (verdict.equal) equal++;
        process.stdout.write(
          json
            ? `${JSON.stringify(verdict)}\n`
            : `${verdict.status.padEnd(15)}  ${row.gold}  |  ${verdict.answer?.text ?? ''}\n`,
        );
      }
      if (!json) process.stdout.write(`${equal} of ${rows.length} equal\n`);
      return;
    }
    if (gold === undefined || answer === undefined) throw new UsageError('give --gold and --answer, or --file');
    const verdict = verify(gold, answer, options);
    process.stdout.write(json ? `${JSON.stringify(verdict)}\n` : explained(verdict));
    process.exitCode = verdict.equal ? 0 : 1;
  },
};

function explained({ status, gold, answer, reason }: Verification): string {
  const shown = (what: Verification['gold']): string =>
    what === null ? '(nothing)' : `${what.text}   (${PLACES[what.place]})`;
  return `gold     ${shown(gold)}\nanswer   ${shown(answer)}\n${status.padEnd(8)} ${reason}\n`;
}

function readPairs(file: string): { gold: string; answer: string }[] {
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (error) {
    throw new UserError(`${file}: ${(error as Error).message}`);
  }
  return text.split('\n').flatMap((line, i) => {
    if (line.trim() === '') return [];
    let row: unknown;
    try {
      row = JSON.parse(line);
    } catch (error) {
      throw new UserError(`${file}, line ${i + 1}: not JSON (${(error as Error).message})`);
    }
    const { gold, answer } = (row ?? {}) as { gold?: unknown; answer?: unknown };
    if (typeof gold !== 'string' || typeof answer !== 'string') {
      throw new UserError(`${file}, line ${i + 1}: needs "gold" and "answer" as texts`);
    }
    return [{ gold, answer }];
  });
}
