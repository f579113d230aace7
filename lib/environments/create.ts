import type { Config } from '../config/schema.ts';
import { UsageError } from '../errors.ts';
import type { Environment, EnvironmentType } from './environment.ts';
import { ENVIRONMENTS } from './registry.ts';
import type { TextCodec } from './text/codec.ts';

type Settings = Config['environment'];

/** Whether an environment's tasks are in words: it needs a model with a tokenizer. */
export function isInWords({ name }: Settings): boolean {
  const type: Pick<EnvironmentType<Settings>, 'words'> = ENVIRONMENTS[name];
  return type.words ?? false;
}

/** The environment of a configuration. `codec`: how the model reads and writes words; null where it has no tokenizer. */
export function createEnvironment(settings: Settings, codec: TextCodec | null = null): Environment {
  const type: EnvironmentType<typeof settings> = ENVIRONMENTS[settings.name];
  if (type.words && codec === null) {
    throw new UsageError(
      `environment ${settings.name} is in words: it needs a model with a tokenizer (tokenizer.json in the folder of model.path, ` +
        'or model.decoder, which gets one of bytes)',
    );
  }
  return type.create(settings, codec!);
}
