// Parameter gradients against reference values, or against reference norms where a file stores only those.
import assert from 'node:assert/strict';
import type { NativeModel } from '../../lib/native/addon.ts';
import type { Tally, Tolerance } from './compare.ts';
import type { TensorFile } from './safetensors.ts';

export type ParameterTolerances = Readonly<Record<string, Tolerance & { readonly norm: number }>>;

export function checkGradients(
  tally: Tally,
  what: string,
  model: NativeModel,
  file: TensorFile,
  parameters: ParameterTolerances,
): void {
  const names = Object.keys(parameters);
  assert.deepEqual(model.parameters.map((p) => p.name).sort(), [...names].sort(), 'parameter names');
  for (const name of names) {
    const tolerance = parameters[name]!;
    const gradient = model.read(name, 'gradient');
    if (file.has(`grad.${name}`)) {
      tally.close(`${what} grad.${name}`, gradient, file.numbers(`grad.${name}`), tolerance);
    } else {
      // A norm cannot be further off than the L2 norm of the error.
      tally.close(`${what} norm of grad.${name}`, [norm(gradient)], [tolerance.norm], {
        rel_l2_tol: tolerance.rel_l2_tol,
      });
    }
  }
}

export function norm(values: Float32Array): number {
  let sum = 0;
  for (const x of values) sum += x * x;
  return Math.sqrt(sum);
}
