// Truncated and lying safetensors files, sharded or not.
import { cpSync, existsSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { addon } from '../support/addon.ts';
import {
  countBadInputs,
  editJson,
  type Entry,
  type Parts,
  readParts,
  refused,
  refusedFolder,
  WEIGHTS,
} from '../support/broken.ts';
import { checkpointPath, withTemporary } from '../support/golden.ts';
import { TensorFile, writeRawSafetensors } from '../support/safetensors.ts';

countBadInputs('weights');

const VICTIM = 'model.layers.0.mlp.up_proj.weight';
const OTHER = 'model.layers.0.mlp.gate_proj.weight';
const FILE = /model\.safetensors/;
const FILE_AND_TENSOR = /(?=.*model\.safetensors)(?=.*model\.layers\.0\.mlp\.up_proj\.weight)/s;

/** Numbers that a double cannot hold: quoted here, bare in the file. */
const exactly = (digits: string): string => `@${digits}`;

/** Rewrites the weights; `headerBytes` lies about the header's length. */
function rewrite(change: (parts: Parts) => { text?: string; payload?: Buffer; headerBytes?: bigint }) {
  return (directory: string): void => {
    const parts = readParts(directory);
    const { text, payload, headerBytes } = change(parts);
    const header = text ?? JSON.stringify(parts.header).replaceAll(/"@(\d+)"/g, '$1');
    writeRawSafetensors(path.join(directory, WEIGHTS), header, payload ?? parts.payload, headerBytes);
  };
}

/** Changes the header entry of one tensor. */
const entry = (change: (victim: Entry, header: Record<string, Entry>, payloadBytes: number) => void) =>
  rewrite(({ header, payload }) => {
    change(header[VICTIM]!, header, payload.length);
    return {};
  });

const whole = (change: (file: Buffer) => Buffer | string) => (directory: string) =>
  writeFileSync(path.join(directory, WEIGHTS), change(readParts(directory).file));

const offsets = (victim: Entry): [number, number] => victim.data_offsets as [number, number];

const FILES: Record<string, [(directory: string) => void, RegExp]> = {
  'an empty file': [whole(() => ''), FILE],
  'seven bytes': [whole((f) => f.subarray(0, 7)), FILE],
  'only the header length': [whole((f) => f.subarray(0, 8)), FILE],
  'cut inside the header': [whole((f) => f.subarray(0, 100)), FILE],
  'cut inside the data': [whole((f) => f.subarray(0, f.length >> 1)), FILE],
  'one byte short': [whole((f) => f.subarray(0, -1)), FILE],
  'not safetensors at all': [whole(() => '<!doctype html><title>404</title>'.repeat(50)), FILE],
  zeros: [whole((f) => Buffer.alloc(f.length)), FILE],
  'header length 2^64 - 1': [rewrite(() => ({ headerBytes: 2n ** 64n - 1n })), FILE],
  'header length 2^63': [rewrite(() => ({ headerBytes: 2n ** 63n })), FILE],
  'header one byte too long for the file': [rewrite(({ file }) => ({ headerBytes: BigInt(file.length - 7) })), FILE],
  'header length 0': [rewrite(() => ({ headerBytes: 0n })), FILE],
  'a header that is no JSON': [rewrite(() => ({ text: '{"a":' })), FILE],
  'a header that is an array': [rewrite(() => ({ text: '[]' })), FILE],
  'a header nested 200000 deep': [
    rewrite(() => ({ text: `{"a":${'['.repeat(200_000)}${']'.repeat(200_000)}}` })),
    FILE,
  ],
  'an entry that is a number': [
    rewrite(({ header }) => ({ text: JSON.stringify({ ...header, [VICTIM]: 3 }) })),
    FILE_AND_TENSOR,
  ],
  'two tensors of one name': [
    rewrite(({ header }) => {
      const text = JSON.stringify(header);
      return { text: `${text.slice(0, -1)},${JSON.stringify(VICTIM)}:${JSON.stringify(header[OTHER])}}` };
    }),
    FILE_AND_TENSOR,
  ],
};

const ENTRIES: Record<string, (victim: Entry, header: Record<string, Entry>, payloadBytes: number) => void> = {
  'offsets behind the end of the file': (v, _h, bytes) => {
    const [begin, end] = offsets(v);
    v.data_offsets = [begin + bytes, end + bytes];
  },
  'an end behind the end of the file': (v, _h, bytes) => {
    v.data_offsets = [offsets(v)[0], bytes + 4];
  },
  'offsets near 2^64': (v) => {
    v.data_offsets = [exactly('18446744073709549568'), exactly('18446744073709551615')];
  },
  'negative offsets': (v) => {
    v.data_offsets = [-4, offsets(v)[1]];
  },
  'fractional offsets': (v) => {
    v.data_offsets = [offsets(v)[0] + 0.5, offsets(v)[1]];
  },
  'offsets that run backwards': (v) => {
    v.data_offsets = [...offsets(v)].reverse();
  },
  'three offsets': (v) => {
    v.data_offsets = [...offsets(v), 0];
  },
  'offsets that are text': (v) => {
    v.data_offsets = ['0', '4'];
  },
  'no offsets': (v) => {
    v.data_offsets = undefined;
  },
  'a range shorter than the shape': (v) => {
    v.data_offsets = [offsets(v)[0], offsets(v)[1] - 4];
  },
  'a dtype nobody knows': (v) => {
    v.dtype = 'F33';
  },
  'a dtype that is a number': (v) => {
    v.dtype = 32;
  },
  'an integer dtype': (v) => {
    v.dtype = 'I32';
  },
  'a dtype of another width': (v) => {
    v.dtype = 'F64';
  },
  'no dtype': (v) => {
    v.dtype = undefined;
  },
  'a shape of 2^63': (v) => {
    v.shape = [exactly('9223372036854775808'), 1];
  },
  'a shape whose product overflows to 0': (v) => {
    v.shape = [4294967296, 4294967296];
  },
  'a shape whose product overflows to the right size': (v) => {
    const [rows, columns] = v.shape as [number, number];
    v.shape = [rows, columns, 4294967296, 4294967296, 0 + 1];
  },
  'a shape of 1e30': (v) => {
    v.shape = [1e30, 1];
  },
  'a negative shape': (v) => {
    v.shape = (v.shape as number[]).map((n) => -n);
  },
  'a shape that is text': (v) => {
    v.shape = '64x80';
  },
  'no shape': (v) => {
    v.shape = undefined;
  },
  'a transposed shape': (v) => {
    v.shape = [...(v.shape as number[])].reverse();
  },
  'a shape with one dimension': (v) => {
    v.shape = [(v.shape as number[]).reduce((a, b) => a * b, 1)];
  },
  'overlapping tensors': (v, header) => {
    v.data_offsets = [...offsets(header[OTHER]!)];
  },
};

for (const [what, [spoil, message]] of Object.entries(FILES)) {
  test(`weights refused: ${what}`, () => refusedFolder(what, spoil, message));
}
for (const [what, change] of Object.entries(ENTRIES)) {
  test(`weights refused: ${what}`, () => refusedFolder(what, entry(change), FILE_AND_TENSOR));
}

test('weights refused: a tensor left out, with and without its data', async () => {
  const gap = rewrite(({ header }) => {
    const { [VICTIM]: _gone, ...rest } = header;
    return { text: JSON.stringify(rest) };
  });
  await refusedFolder('bytes that belong to no tensor', gap, /model\.safetensors.*gap/);
  const cut = rewrite(({ header, payload }) => {
    const { [VICTIM]: gone, ...rest } = header;
    const [begin, end] = offsets(gone!);
    for (const [name, other] of Object.entries(rest)) {
      if (name === '__metadata__') continue;
      const [from, to] = offsets(other);
      if (from >= end) other.data_offsets = [from - (end - begin), to - (end - begin)];
    }
    const kept = Buffer.concat([payload.subarray(0, begin), payload.subarray(end)]);
    return { text: JSON.stringify(rest), payload: kept };
  });
  await refusedFolder('a missing tensor', cut, /mlp\.up_proj/);
});

test('weights refused: a tensor that belongs to no parameter', () =>
  refusedFolder(
    'a stranger',
    rewrite(({ header, payload }) => {
      const end = payload.length;
      const text = JSON.stringify({
        ...header,
        'model.stranger': { dtype: 'F32', shape: [1], data_offsets: [end, end + 4] },
      });
      return { text, payload: Buffer.concat([payload, Buffer.alloc(4)]) };
    }),
    /model\.stranger/,
  ));

test('weights refused: no file, a folder in its place', async () => {
  await refusedFolder('no weights', (d) => rmSync(path.join(d, WEIGHTS)), FILE);
  await refusedFolder(
    'a folder',
    (d) => {
      rmSync(path.join(d, WEIGHTS));
      mkdirSync(path.join(d, WEIGHTS));
    },
    FILE,
  );
});

const sharded = checkpointPath('llama-sharded');
const INDEX = 'model.safetensors.index.json';

const refusedShards = (what: string, spoil: (directory: string) => void, message: RegExp): Promise<void> =>
  withTemporary(async (directory) => {
    cpSync(sharded, directory, { recursive: true });
    spoil(directory);
    const load = async (): Promise<void> => (await addon.loadModel(directory)).close();
    await refused(what, load, message, /^(ERR_INVALID_FILE|ERR_IO)$/);
  });

test('shards refused', { skip: !existsSync(sharded) }, async () => {
  const spoils: Record<string, [(index: Record<string, unknown>) => void, RegExp]> = {
    'no weight_map': [
      (index) => {
        delete index['weight_map'];
      },
      /index\.json/,
    ],
    'a weight_map that is a list': [
      (index) => {
        index['weight_map'] = [];
      },
      /index\.json/,
    ],
    'a shard that does not exist': [
      (index) => {
        (index['weight_map'] as Record<string, string>)[VICTIM] = 'model-9.safetensors';
      },
      /model-9\.safetensors/,
    ],
    'a shard outside the folder': [
      (index) => {
        (index['weight_map'] as Record<string, string>)[VICTIM] = '../../secret.safetensors';
      },
      /up_proj/,
    ],
    'a tensor in the wrong shard': [
      (index) => {
        (index['weight_map'] as Record<string, string>)[VICTIM] = 'model-00002-of-00002.safetensors';
      },
      /index\.json: says that model-00002-of-00002\.safetensors holds "model\.layers\.0\.mlp\.up_proj\.weight", but it does not/,
    ],
    'a shard that is a number': [
      (index) => {
        (index['weight_map'] as Record<string, unknown>)[VICTIM] = 2;
      },
      /up_proj.*must name a file of this folder, it is an integer/,
    ],
    'a tensor that the map leaves out': [
      (index) => {
        delete (index['weight_map'] as Record<string, string>)[VICTIM];
      },
      /up_proj/,
    ],
  };
  for (const [what, [change, message]] of Object.entries(spoils)) {
    await refusedShards(what, (directory) => editJson(path.join(directory, INDEX), change), message);
  }
  const [first, second] = ['model-00001-of-00002.safetensors', 'model-00002-of-00002.safetensors'] as const;
  await refusedShards('no second shard', (d) => rmSync(path.join(d, second)), /index\.json: the shard model-00002/);
  await refusedShards(
    'an index cut short',
    (d) => writeFileSync(path.join(d, INDEX), '{"weight_map"'),
    /index\.json:1:14/,
  );
  await refusedShards(
    'the first shard twice',
    (d) => cpSync(path.join(d, first), path.join(d, second)),
    /says that model-00002-of-00002\.safetensors holds/,
  );
  await refusedShards(
    'a shard with a tensor of the other one, too',
    (d) => {
      const tensor = new TensorFile(path.join(d, first)).get(VICTIM);
      const { header, payload } = readParts(d, second);
      const end = payload.length;
      header[VICTIM] = { dtype: 'F32', shape: tensor.shape, data_offsets: [end, end + tensor.data.byteLength] };
      const data = Buffer.from(tensor.data.buffer, tensor.data.byteOffset, tensor.data.byteLength);
      writeRawSafetensors(path.join(d, second), JSON.stringify(header), Buffer.concat([payload, data]));
    },
    /model-00002-of-00002\.safetensors: tensor "model\.layers\.0\.mlp\.up_proj\.weight" is here and in model-00001/,
  );
  await refusedShards(
    'a tensor of another shape',
    (d) => {
      const { header, payload } = readParts(d, second);
      const [name] = Object.keys(header).filter((key) => key.endsWith('down_proj.weight')) as [string];
      header[name]!.shape = [...(header[name]!.shape as number[])].reverse();
      writeRawSafetensors(path.join(d, second), JSON.stringify(header), payload);
    },
    /model-00002-of-00002\.safetensors: tensor "model\.layers\.1\.mlp\.down_proj\.weight" has shape \[80, 64\], config\.json asks for \[64, 80\]/,
  );
});
