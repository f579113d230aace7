// What environments need beside their defaults: servers of others.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { packageRoot } from '../../lib/config/root.ts';
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
  const folder = mkdtempSync(join(tmpdir(), 'exit-rl-test-'));
  const tasks = join(folder, 'tasks.jsonl');
  const rows = Array.from({ length: 400 }, (_, amount) => ({
    ...{ id: String(amount), request: `Write ${amount} for tea.` },
    check: { calls: [{ name: 'write', arguments: { name: 'tea', amount } }] },
  }));
  writeFileSync(tasks, rows.map((row) => JSON.stringify(row)).join('\n'));
  const ledger = join(packageRoot(), 'test', 'fixtures', 'mcp', 'ledger.mjs');
  return {
    settings: {
      openenv: { url: server.url, observationField: 'text' },
      mcp: { command: process.execPath, args: [ledger], tasks, fresh: false },
    },
    close: async () => {
      rmSync(folder, { recursive: true, force: true });
      await server.close();
    },
  };
}
