// Ctrl-C and friends.
import type { Stop } from '../runs/experiment.ts';

/** First signal: end after the step, saved. Second: end now. */
export function stopOnSignals(): Stop {
  const stop = { requested: false };
  const handle = (signal: NodeJS.Signals): void => {
    if (stop.requested) process.exit(signal === 'SIGINT' ? 130 : 143);
    stop.requested = true;
    process.stderr.write('\nfinishing the step and saving; once more to stop at once\n');
  };
  process.on('SIGINT', handle);
  process.on('SIGTERM', handle);
  return stop;
}
