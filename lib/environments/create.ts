import type { Config } from '../config/schema.ts';
import type { Environment, EnvironmentType } from './environment.ts';
import { ENVIRONMENTS } from './registry.ts';

/** The environment of a configuration. */
export function createEnvironment(settings: Config['environment']): Environment {
  const type: EnvironmentType<typeof settings> = ENVIRONMENTS[settings.name];
  return type.create(settings);
}
