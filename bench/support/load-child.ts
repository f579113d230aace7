// One measurement in a process of its own, so that its memory is fresh and the peak of it belongs to what is measured.
//   load FOLDER THREADS    loads a model twice: seconds of each, and resident bytes before the first and at most in it
//   touch FLOATS THREADS   writes to every page of new memory for so many floats, twice: seconds of each
import { addon } from '../../lib/native/load.ts';

const [what, first, second] = process.argv.slice(2) as [string, string, string];
addon.setThreads(Number(second));
if (what === 'touch') {
  const { seconds } = addon.bench('fresh_memory', [Number(first)], 2);
  process.stdout.write(JSON.stringify({ seconds }));
} else {
  const before = process.memoryUsage.rss();
  const seconds: number[] = [];
  let peak = 0;
  for (let i = 0; i < 2; i++) {
    const start = performance.now();
    const model = await addon.loadModel(first);
    seconds.push((performance.now() - start) / 1000);
    if (i === 0) peak = process.resourceUsage().maxRSS * 1024;
    model.close();
  }
  process.stdout.write(JSON.stringify({ seconds, before, peak }));
}
