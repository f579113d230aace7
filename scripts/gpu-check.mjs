// gpu-check.mjs check|bench FOLDER: run by run.sh in the packed folder. Results are under FOLDER/<card>/ after every part.
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { bench } from './gpu/bench.mjs';
import { check } from './gpu/check.mjs';
import { findCard, withoutPaths } from './gpu/doctor.mjs';
import { Report } from './gpu/report.mjs';
import { killCurrent } from './gpu/run.mjs';

const [what, out] = process.argv.slice(2);
const parts = { check, bench }[what];
if (!parts || !out) {
  console.error('usage: gpu-check.mjs check|bench FOLDER');
  process.exit(2);
}
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'])
  process.on(signal, () => {
    killCurrent();
    process.exit(1);
  });

console.log('=== doctor');
const { card, cuda, env, wrong, reason } = await findCard();
Object.assign(process.env, env);
console.log(JSON.stringify(cuda, null, 2));
const folder = path.join(out, card ? card.name.replaceAll(/[^A-Za-z0-9]+/g, '-').toLowerCase() : 'no-card');
const commit = readFileSync('COMMIT', 'utf8').trim();
const report = new Report(folder, `${what}.json`, {
  date: new Date().toISOString(),
  commit,
  card: card ? withoutPaths(card) : null,
});
if (!card) {
  report.add({
    name: 'doctor',
    status: 'failed',
    reason: wrong === reason ? wrong : `${wrong}; without wgmma: ${reason}`,
  });
  report.end();
  console.error(`exit-rl: no usable GPU: ${reason}`);
  process.exit(2);
}
if (wrong === null) report.add({ name: 'doctor', status: 'passed' });
else report.add({ name: 'doctor', status: 'failed', reason: `${wrong}; all that follows is without wgmma` });
try {
  await parts(report, card);
} catch (error) {
  report.add({ name: what, status: 'failed', reason: String(error?.stack ?? error) });
}
process.exit(report.end());
