#!/usr/bin/env node
// The command line. Commands: one file each. yargs only splits arguments; values are checked where they are used.
import yargs from 'yargs';
import { hideBin } from 'yargs/helpers';
import { packageVersion } from '../config/root.ts';
import { UsageError, UserError } from '../errors.ts';
import { bench } from './bench.ts';
import { chat } from './chat.ts';
import { config } from './config.ts';
import { doctor } from './doctor.ts';
import { env } from './env.ts';
import { evaluateCommand } from './eval.ts';
import { exportCommand } from './export.ts';
import { inspect } from './inspect.ts';
import { sample } from './sample.ts';
import { serve } from './serve.ts';
import { sft } from './sft.ts';
import { study } from './study.ts';
import { train } from './train.ts';
import { verifyCommand } from './verify.ts';
import { rejectUnknownOptions } from './options.ts';

async function main(): Promise<void> {
  await yargs(hideBin(process.argv))
    .scriptName('exit-rl')
    .usage('$0 <command>\n\nTeaches language models to improve their own answers.')
    .parserConfiguration({ 'parse-numbers': false, 'camel-case-expansion': false, 'dot-notation': false })
    .command(train)
    .command(evaluateCommand)
    .command(sample)
    .command(sft)
    .command(chat)
    .command(env)
    .command(serve)
    .command(study)
    .command(inspect)
    .command(exportCommand)
    .command(verifyCommand)
    .command(bench)
    .command(doctor)
    .command(config)
    .demandCommand(1, 'say what to do, for example: exit-rl train --preset codebreak')
    .recommendCommands()
    .strictCommands()
    .middleware(rejectUnknownOptions)
    .version(packageVersion())
    .help()
    .wrap(100)
    .exitProcess(false)
    .fail((message, error) => {
      // yargs reports its own complaints as an error, too; those of handlers are passed on.
      if (error !== undefined && error.name !== 'YError') throw error;
      throw new UsageError(`${message ?? error?.message}\nexit-rl --help lists commands and options`);
    })
    .parseAsync();
}

main().catch((error: unknown) => {
  process.stderr.write(`exit-rl: ${describeError(error)}\n`);
  process.exitCode = error instanceof UserError ? error.exitCode : 1;
});

/** Without a stack trace where it would say nothing: errors of the user, and those of the native engine. */
function describeError(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const hasTrace = error.stack?.includes('\n    at ') ?? false;
  return error instanceof UserError || !hasTrace ? error.message : error.stack!;
}
