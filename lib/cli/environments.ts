// Environments by name and --set, where a command needs one without a run.
import { parseConfig } from '../config/load.ts';
import { createEnvironment, isInWords } from '../environments/create.ts';
import type { Environment } from '../environments/environment.ts';
import { ENVIRONMENTS } from '../environments/registry.ts';
import type { TextCodec } from '../environments/text/codec.ts';
import { suggestion, UsageError } from '../errors.ts';
import { openChat } from '../model.ts';
import { chatCodec } from '../text/codec.ts';

/** `model`: folder of the tokenizer that words go through; null: bytes. The codec is null for an environment of symbols. */
export function environmentByName(
  name: string,
  set: readonly string[],
  model: string | null,
): { readonly environment: Environment; readonly codec: TextCodec | null } {
  if (!(name in ENVIRONMENTS)) {
    const known = Object.keys(ENVIRONMENTS);
    throw new UsageError(`no environment named "${name}"${suggestion(name, known)}; there are: ${known.join(', ')}`);
  }
  const settings = [`environment.name=${name}`, ...set.map((assignment) => `environment.${assignment}`)];
  const text = 'model: { decoder: {} }';
  const { environment: difficulty } = parseConfig({ name: 'environment', text, set: settings, generated: true });
  const codec = isInWords(difficulty) ? chatCodec(openChat(model)) : null;
  return { environment: createEnvironment(difficulty, codec), codec };
}
