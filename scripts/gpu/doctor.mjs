// Which card this machine has. The first look checks wgmma on it: where that hangs or kills the card, a second one goes without.
import { howItEnded, run } from './run.mjs';

const SECONDS = 60;

async function look(env) {
  const result = await run('./node', ['dist/lib/cli/main.js', 'doctor', '--json'], { seconds: SECONDS, env });
  const line = result.output.split('\n').find((text) => text.startsWith('{'));
  let cuda;
  try {
    cuda = JSON.parse(line).cuda;
  } catch {
    return { reason: `${howItEnded(result) ?? 'no answer'}: ${result.output.trim().split('\n').at(-1)}` };
  }
  const card = cuda.devices[0];
  if (!card || card.note) return { cuda, reason: card?.note || cuda.reason || 'the driver sees no device' };
  return { cuda, card };
}

/** The card, what the doctor said, the environment that everything runs in, and what was wrong at first. */
export async function findCard() {
  const first = await look({});
  if (first.card) return { ...first, env: {}, wrong: null };
  const env = { EXIT_RL_WGMMA: 'off' };
  const second = await look(env);
  return { ...second, env, wrong: first.reason };
}

/** What is kept of a card in results: which libraries there were, not where they lay. */
export const withoutPaths = (card) => ({
  ...card,
  libraries: card.libraries.map((line) => line.replace(/: \/.*/, '')),
});

/** The line that the doctor has of a library, after its name; undefined without one. */
export const libraryLine = (card, name) => card.libraries.find((line) => line.startsWith(name))?.slice(name.length);
