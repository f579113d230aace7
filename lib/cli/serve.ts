// exit-rl serve: an environment for other trainers, in the protocol of OpenEnv.
import { once } from 'node:events';
import type { CommandModule } from 'yargs';
import { servedTasks } from '../openenv/tasks.ts';
import { serveOpenEnv } from '../openenv/server.ts';
import { environmentByName } from './environments.ts';
import { declare, positive, wholeNumber } from './options.ts';

interface Arguments {
  environment: string;
  set?: string[];
  model?: string;
  host: string;
  port: string;
  sessions: string;
  idle: string;
}

export const serve: CommandModule<object, Arguments> = {
  command: 'serve',
  describe: 'Serve an environment to other trainers in the protocol of OpenEnv',
  builder: (argv) =>
    declare('serve', argv, {
      environment: { type: 'string', requiresArg: true, demandOption: true, describe: 'Name of the environment' },
      set: { type: 'string', array: true, nargs: 1, describe: 'Difficulty: --set length=4' },
      model: { type: 'string', requiresArg: true, describe: 'Folder of the tokenizer that words go through' },
      host: { type: 'string', requiresArg: true, default: '127.0.0.1', describe: 'Address to listen on' },
      port: { type: 'string', requiresArg: true, default: '8000', describe: '0: one that is free' },
      sessions: { type: 'string', requiresArg: true, default: '64', describe: 'Sessions at a time' },
      idle: { type: 'string', requiresArg: true, default: '900', describe: 'Seconds until an unused session ends' },
    }) as never,
  handler: async (args) => {
    const { environment, codec } = environmentByName(args.environment, args.set ?? [], args.model ?? null);
    const server = await serveOpenEnv(servedTasks(environment, codec), {
      host: args.host,
      port: wholeNumber('port', args.port),
      sessions: wholeNumber('sessions', args.sessions, 1),
      idleSeconds: positive('idle', args.idle, 1e6),
    });
    process.stdout.write(`${server.url}\n`);
    const [signal] = await Promise.race(['SIGINT', 'SIGTERM'].map((name) => once(process, name)));
    process.stderr.write(`${String(signal)}: closing\n`);
    await server.close();
  },
};
