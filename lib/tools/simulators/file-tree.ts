// The files and folders that GorillaFileSystem works on.
import { UserError } from '../../errors.ts';
import { dict, isDict, type PythonDict, type PythonValue } from '../python/value.ts';
import { PythonError } from '../simulator.ts';

export interface TextFile {
  readonly kind: 'file';
  readonly name: string;
  /** Text, unless a call wrote something else. */
  content: PythonValue;
}

export interface Folder {
  readonly kind: 'folder';
  readonly name: string;
  readonly parent: Folder | null;
  /** Copies and moved folders may share the map, or what is in it. */
  contents: Map<string, TextFile | Folder>;
}

export type Item = TextFile | Folder;

export const newFolder = (name: string, parent: Folder | null): Folder => ({
  ...{ kind: 'folder', name, parent, contents: new Map() },
});
export const newFile = (name: string, content: PythonValue = ''): TextFile => ({ kind: 'file', name, content });

/** The contents of a folder in an initial configuration: { type: 'directory', contents }. */
export function contentsOf(name: string | number, data: PythonValue): PythonDict {
  const contents = isDict(data) ? data.get('contents') : undefined;
  if (contents !== undefined && isDict(contents)) return contents;
  throw new UserError(`initial_config: the directory ${name} must have contents`);
}

/** Fills a folder from an initial configuration: { name: { type, contents or content } }. */
export function fill(into: Folder, contents: PythonDict): void {
  for (const [key, data] of contents) {
    const name = String(key);
    const type = isDict(data) ? data.get('type') : null;
    if (type === 'file') into.contents.set(name, newFile(name, (data as PythonDict).get('content') ?? ''));
    if (type !== 'directory') continue;
    const inner = newFolder(name, into);
    fill(inner, contentsOf(key, data));
    into.contents.set(name, inner);
  }
}

/** Folders can be copied into themselves, after which there is no end to them. */
const DEEPEST = 500;
const MOST_ITEMS = 100_000;

/** Everything in and below a folder, each item before what is in it. Throws where Python would run out of its stack. */
export function* everythingIn(folder: Folder, path: string): Generator<{ name: string; item: Item; path: string }> {
  let seen = 0;
  function* walk(inside: Folder, base: string, depth: number): ReturnType<typeof everythingIn> {
    if (depth > DEEPEST) throw new PythonError('maximum recursion depth exceeded');
    for (const [name, item] of inside.contents) {
      if (++seen > MOST_ITEMS) throw new PythonError('there are too many files');
      const itemPath = `${base}/${name}`;
      yield { name, item, path: itemPath };
      if (item.kind === 'folder') yield* walk(item, itemPath, depth + 1);
    }
  }
  yield* walk(folder, path, 0);
}

/** The attributes of a folder as the reference has them; beyond the limits of `everythingIn` the contents are null. */
export function stateOf(folder: Folder): PythonDict {
  let seen = 0;
  const state = (item: Item, depth: number): PythonDict => {
    const { name } = item;
    if (item.kind === 'file') return dict({ __class__: 'File', name, content: item.content });
    if (depth > DEEPEST || seen > MOST_ITEMS) return dict({ __class__: 'Directory', name, contents: null });
    seen += item.contents.size;
    const contents = new Map(Array.from(item.contents, ([key, inner]) => [key, state(inner, depth + 1)]));
    return dict({ __class__: 'Directory', name, contents });
  };
  return state(folder, 0);
}
