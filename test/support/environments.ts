// Environments that behave badly where a test wants them to.
import type { Environment } from '../../lib/environments/environment.ts';
import { ENVIRONMENTS } from '../../lib/environments/registry.ts';

const METHODS = ['task', 'key', 'prompt', 'judge', 'reference', 'demonstration', 'show'] as const;

/** An environment with some of its members changed. */
export function changed(environment: Environment, changes: Partial<Environment>): Environment {
  const methods = METHODS.map((name) => [name, (environment[name] as () => unknown).bind(environment)]);
  return Object.assign(Object.create(environment) as Environment, Object.fromEntries(methods), changes);
}

/** While `body` runs, the registry has codebreak with these changes. */
export async function withCodebreak(
  changes: (environment: Environment) => Partial<Environment>,
  body: () => Promise<void>,
): Promise<void> {
  const { codebreak } = ENVIRONMENTS;
  const create = (...given: Parameters<typeof codebreak.create>): Environment => {
    const environment = codebreak.create(...given);
    return changed(environment, changes(environment));
  };
  Object.assign(ENVIRONMENTS, { codebreak: { ...codebreak, create } });
  try {
    await body();
  } finally {
    Object.assign(ENVIRONMENTS, { codebreak });
  }
}
