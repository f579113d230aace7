// Reads what the script in a sandbox (profile.ts) says about the collected files. It may say anything: a program that wants
// to can write here, too, but only about files of its own.

const REFUSALS: Readonly<Record<string, string>> = { link: 'is a symbolic link', other: 'is not a regular file' };

export interface Collected {
  readonly files: Map<string, Uint8Array>;
  /** Name and reason of files that were not taken. */
  readonly refused: Map<string, string>;
}

/** The files of the given names, in this order in the stream. A stream that breaks off refuses the rest. */
export function handedOver(stream: Buffer, names: readonly string[], limit: number): Collected {
  const files = new Map<string, Uint8Array>();
  const refused = new Map<string, string>();
  let position = 0;
  for (const name of names) {
    const end = stream.indexOf('\n', position);
    const line = end < 0 ? '' : stream.subarray(position, end).toString('latin1');
    position = end < 0 ? stream.length : end + 1;
    if (line === 'none') continue;
    const size = Number(/^file +(\d{1,15})$/.exec(line)?.[1] ?? -1);
    if (line === 'large' || size > limit) refused.set(name, `is larger than ${limit} bytes`);
    else if (size >= 0 && position + size <= stream.length) files.set(name, stream.subarray(position, position + size));
    else refused.set(name, REFUSALS[line] ?? 'was not handed over');
    position += Math.max(0, size);
  }
  return { files, refused };
}
