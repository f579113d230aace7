// Codecs for compressed Arrow files that other tools wrote: apache-arrow brings none. exit-rl itself writes plain ones.
import { compressionRegistry, CompressionType } from 'apache-arrow';
import * as zlib from 'node:zlib';

const MAGIC = 0x184d2204;

/** Lets apache-arrow read LZ4 (always) and Zstandard (Node 22.15 or later has it) batches. */
export function registerCodecs(): void {
  compressionRegistry.set(CompressionType.LZ4_FRAME, { decode: decodeLz4Frame });
  compressionRegistry.set(CompressionType.ZSTD, { decode: decodeZstd });
}

function decodeZstd(data: Uint8Array): Uint8Array {
  const { zstdDecompressSync } = zlib as { zstdDecompressSync?: (data: Uint8Array) => Uint8Array };
  if (zstdDecompressSync === undefined) {
    throw new Error(
      `Node ${process.versions.node} has no Zstandard: use Node 22.15 or later, or write the file with LZ4 or uncompressed`,
    );
  }
  return zstdDecompressSync(data);
}

/** The content of one LZ4 frame; checksums are skipped. */
export function decodeLz4Frame(data: Uint8Array): Uint8Array {
  const view = new DataView(data.buffer, data.byteOffset, data.byteLength);
  if (data.length < 7 || view.getUint32(0, true) !== MAGIC) throw new Error('not an LZ4 frame');
  const flags = data[4]!;
  if (flags >> 6 !== 1) throw new Error('LZ4 frame of an unknown version');
  let at = 7 + (flags & 8 ? 8 : 0) + (flags & 1 ? 4 : 0);
  let output = new Uint8Array(Math.max(64, data.length * 4));
  let length = 0;
  const reserve = (more: number): void => {
    if (length + more <= output.length) return;
    const grown = new Uint8Array(Math.max(output.length * 2, length + more));
    grown.set(output.subarray(0, length));
    output = grown;
  };
  const copyLiterals = (from: number, count: number): void => {
    if (from + count > data.length) throw new Error('LZ4 frame is cut short');
    reserve(count);
    output.set(data.subarray(from, from + count), length);
    length += count;
  };

  const decodeBlock = (begin: number, end: number): void => {
    let at = begin;
    const long = (count: number): number => {
      let total = count;
      if (count === 15) {
        let byte: number;
        do {
          if (at >= end) throw new Error('LZ4 block is cut short');
          byte = data[at++]!;
          total += byte;
        } while (byte === 255);
      }
      return total;
    };
    while (at < end) {
      const token = data[at++]!;
      const literals = long(token >> 4);
      copyLiterals(at, literals);
      at += literals;
      if (at >= end) return; // the last sequence has no match
      const offset = data[at]! | (data[at + 1]! << 8);
      at += 2;
      const count = long(token & 15) + 4;
      if (offset === 0 || offset > length) throw new Error('LZ4 match before the start of the data');
      reserve(count);
      // Byte by byte: a match may overlap what it writes.
      for (let i = 0; i < count; i++, length++) output[length] = output[length - offset]!;
    }
  };

  for (;;) {
    if (at + 4 > data.length) throw new Error('LZ4 frame is cut short');
    const size = view.getUint32(at, true);
    at += 4;
    if (size === 0) return output.subarray(0, length);
    const bytes = size & 0x7fffffff;
    if (at + bytes > data.length) throw new Error('LZ4 frame is cut short');
    if (size >>> 31) copyLiterals(at, bytes);
    else decodeBlock(at, at + bytes);
    at += bytes + (flags & 16 ? 4 : 0);
  }
}
