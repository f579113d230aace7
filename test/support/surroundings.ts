// What environments need beside their defaults: servers of others.
import { createEnvironment } from '../../lib/environments/create.ts';
import { ENVIRONMENTS } from '../../lib/environments/registry.ts';
import { serveOpenEnv } from '../../lib/openenv/server.ts';
import { servedTasks } from '../../lib/openenv/tasks.ts';

export interface Surroundings {
  /** Settings by environment. */
  readonly settings: Readonly<Record<string, Readonly<Record<string, unknown>>>>;
  close(): Promise<void>;
}

export async function surroundings(): Promise<Surroundings> {
  const clerk = createEnvironment(ENVIRONMENTS.clerk.settings.parse({ name: 'clerk' }));
  const server = await serveOpenEnv(servedTasks(clerk, null));
  return { settings: { openenv: { url: server.url, observationField: 'text' } }, close: () => server.close() };
}
