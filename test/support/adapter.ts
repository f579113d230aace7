// LoRA adapters for tests: on every linear layer, with a B that is not zero, so that leaving one out shows.
import type { NativeModel } from '../../lib/native/addon.ts';
import { checkpointPath, withModel } from './golden.ts';
import { FAMILIES } from './rollouts.ts';

export const adapterJson = (changes: object = {}): string =>
  JSON.stringify({ peft_type: 'LORA', r: 3, lora_alpha: 4, target_modules: 'all-linear', ...changes });

/** Puts an adapter beside a model's weights and fills its B with numbers of the size of the weights. */
export async function adapt(model: NativeModel, changes: object = {}): Promise<void> {
  await model.createAdapter(adapterJson(changes), 7);
  for (const [p, { name, shape }] of model.adapter!.parameters.entries()) {
    if (!name.endsWith('lora_B.weight')) continue;
    const values = Float32Array.from({ length: shape[0]! * shape[1]! }, (_, i) => 0.1 * Math.sin(1.7 * i + p));
    model.write(name, 'policy', values);
  }
}

/** What an update changes. */
export const trained = (model: NativeModel): readonly { readonly name: string }[] =>
  model.adapter?.parameters ?? model.parameters;

export interface Variant {
  readonly name: string;
  readonly open: <T>(use: (model: NativeModel) => Promise<T>) => Promise<T>;
}

const plain = (family: string): Variant => ({ name: family, open: (use) => withModel(checkpointPath(family), use) });

const adapted = (family: string): Variant => ({
  name: `${family} with an adapter`,
  open: (use) =>
    withModel(checkpointPath(family), async (model) => {
      await adapt(model);
      return use(model);
    }),
});

/** One golden checkpoint per family, as it is and with an adapter. */
export const VARIANTS: readonly Variant[] = FAMILIES.flatMap((family) => [plain(family), adapted(family)]);
