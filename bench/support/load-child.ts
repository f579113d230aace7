// One load in a process of its own: seconds, and resident bytes before it and at most.
import { addon } from '../../lib/native/load.ts';

const [folder, threads] = process.argv.slice(2) as [string, string];
addon.setThreads(Number(threads));
const before = process.memoryUsage.rss();
const start = performance.now();
const model = await addon.loadModel(folder);
const seconds = (performance.now() - start) / 1000;
const peak = process.resourceUsage().maxRSS * 1024;
model.close();
process.stdout.write(JSON.stringify({ seconds, before, peak }));
