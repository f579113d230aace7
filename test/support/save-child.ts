// A process of its own for the full-disk test: loads a model, tries to save it, prints what came of it.
import { addon } from './addon.ts';

const [source, target] = process.argv.slice(2) as [string, string];
const model = await addon.loadModel(source);
try {
  await model.saveWeights(target);
  console.log('saved');
} catch (error) {
  const { code, message } = error as Error & { code?: string };
  console.log(`${code} ${message}`);
}
