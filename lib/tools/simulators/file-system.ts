// GorillaFileSystem of BFCL: a small file system in memory.
import {
  compareText,
  contains,
  greater,
  keyOf,
  length,
  minus,
  splitLines,
  splitWords,
  textWith,
} from '../python/operations.ts';
import { str } from '../python/print.ts';
import { dict, isInt, type PythonDict, type PythonValue, truthy } from '../python/value.ts';
import { type Clock, PythonError } from '../simulator.ts';
import { BaseSimulator, error, givenDict, refuseLongContext } from './base.ts';
import {
  contentsOf,
  everythingIn,
  fill,
  type Folder,
  type Item,
  newFile,
  newFolder,
  stateOf,
  type TextFile,
} from './file-tree.ts';

const FORBIDDEN = [...'|/\\?%*:"><'];
const UNITS = ['B', 'KB', 'MB', 'GB', 'TB'];

export class FileSystem extends BaseSimulator {
  #root = newFolder('/', null);
  #current = this.#root;

  constructor(clock: Clock) {
    super(clock);
    this.define('pwd()', () => dict({ current_working_directory: this.#path() }));
    this.define('ls(a=False)', (all) => this.#list(truthy(all!)));
    this.define('cd(folder)', (folder) => this.#changeFolder(textWith(folder!, 'rstrip')));
    this.define('mkdir(dir_name)', (name) =>
      this.#create(name!, 'mkdir: cannot create directory', (text) => newFolder(text, this.#current)),
    );
    this.define('touch(file_name)', (name) => this.#create(name!, 'touch: cannot touch', (text) => newFile(text)));
    this.define('echo(content, file_name=None)', (content, name) => this.#echo(content!, name!));
    this.define('cat(file_name)', (name) => this.#cat(name!));
    this.define("find(path='.', name=None)", (path, name) => this.#find(path!, name!));
    this.define("wc(file_name, mode='l')", (name, mode) => this.#count(name!, mode!));
    this.define('sort(file_name)', (name) =>
      this.#withLines('sort', name!, (lines) => ({ sorted_content: lines.sort(compareText).join('\n') })),
    );
    this.define('grep(file_name, pattern)', (name, pattern) =>
      this.#withLines('grep', name!, (lines) => ({ matching_lines: lines.filter((line) => contains(line, pattern!)) })),
    );
    this.define('du(human_readable=False)', (readable) => dict({ disk_usage: this.#usage(truthy(readable!)) }));
    this.define('tail(file_name, lines=10)', (name, count) =>
      this.#withLines('tail', name!, (lines) => ({ last_lines: lastOf(lines, count!).join('\n') })),
    );
    this.define('diff(file_name1, file_name2)', (first, second) => this.#compare(first!, second!));
    this.define('mv(source, destination)', (source, to) => this.#transfer('mv', source!, to!));
    this.define('rm(file_name)', (name) => this.#remove(name!));
    this.define('rmdir(dir_name)', (name) => this.#removeFolder(name!));
    this.define('cp(source, destination)', (source, to) => this.#transfer('cp', source!, to!));
  }

  load(config: PythonDict, longContext = false): void {
    refuseLongContext('GorillaFileSystem', longContext);
    this.#root = newFolder('/', null);
    const [top] = givenDict(config, 'root', new Map());
    if (top !== undefined) {
      this.#root = newFolder(String(top[0]), null);
      fill(this.#root, contentsOf(...top));
    }
    this.#current = this.#root;
  }

  state(): PythonDict {
    return dict({ long_context: false, root: stateOf(this.#root) });
  }

  /** What a name in the current folder stands for. */
  #item(name: PythonValue): Item | null {
    const key = keyOf(name);
    const item = typeof key === 'string' ? this.#current.contents.get(key) : undefined;
    // A folder that was named '.' can be made, but is never found.
    return item !== undefined && key === '.' ? this.#current : (item ?? null);
  }

  #file(name: PythonValue): TextFile | null {
    const item = this.#item(name);
    return item?.kind === 'file' ? item : null;
  }

  #withLines(
    command: string,
    name: PythonValue,
    run: (lines: string[]) => Readonly<Record<string, PythonValue>>,
  ): PythonValue {
    const file = this.#file(name);
    if (file === null) return error(`${command}: ${str(name)}: No such file or directory`);
    return dict(run(linesOf(file)));
  }

  #path(): string {
    const names: string[] = [];
    for (let at: Folder | null = this.#current; at !== null; at = at.parent) names.unshift(at.name);
    return `/${names.join('/')}`;
  }

  #list(all: boolean): PythonValue {
    const names = [...this.#current.contents.keys()];
    return dict({ current_directory_content: all ? names : names.filter((name) => !name.startsWith('.')) });
  }

  /** The folder of a path, or null. */
  #folder(path: string): Folder | null {
    if (path === '/') return this.#root;
    let at = path.startsWith('/') ? this.#root : this.#current;
    for (const name of path.replace(/^\/+|\/+$/g, '').split('/')) {
      if (name === '.') continue;
      const next = at.contents.get(name);
      if (next?.kind !== 'folder') return null;
      at = next;
    }
    return at;
  }

  #changeFolder(given: string): PythonValue {
    const to = given.replace(/\/+$/, '') || '/';
    if (to !== '/' && to.includes('/')) {
      return error(`cd: ${to}: Unsupported path. Only one folder level at a time is supported.`);
    }
    if (to === '..') {
      if (this.#current.parent === null) return error('Current directory is already the root. Cannot go back.');
      this.#current = this.#current.parent;
      return dict({});
    }
    const folder = this.#folder(to);
    if (folder === null) return error(`cd: '${to}': No such file or directory`);
    this.#current = folder;
    return dict({ current_working_directory: folder.name });
  }

  #create(name: PythonValue, failure: string, create: (name: string) => Item): PythonValue {
    if (!isName(name)) return error(`${failure} '${str(name)}': Invalid character`);
    if (this.#item(name) !== null) return error(`${failure} '${str(name)}': File exists`);
    this.#current.contents.set(str(name), create(str(name)));
    return null;
  }

  #echo(content: PythonValue, name: PythonValue): PythonValue {
    if (name === null) return dict({ terminal_output: content });
    if (!isName(name)) return error(`echo: cannot write to '${str(name)}': Invalid character`);
    if (!truthy(name)) return dict({ terminal_output: content });
    const item = this.#item(name);
    if (item === null) return error(`echo: cannot write to '${str(name)}': No such file`);
    if (item.kind === 'folder') throw new PythonError("'Directory' object has no attribute '_write'");
    item.content = content;
    return null;
  }

  #cat(name: PythonValue): PythonValue {
    if (!isName(name)) return error(`cat: '${str(name)}': Invalid character`);
    const item = this.#item(name);
    if (item === null) return error(`cat: '${str(name)}': No such file or directory`);
    if (item.kind === 'folder') return error(`cat: '${str(name)}': Is a directory`);
    return dict({ file_content: item.content });
  }

  #find(path: PythonValue, name: PythonValue): PythonValue {
    if (path === null) return textWith(path, 'rstrip');
    const text = textWith(path, 'strip');
    const folder = this.#folder(text);
    if (folder === null) return error(`find: '${text}': No such file or directory`);
    const matches: string[] = [];
    for (const found of everythingIn(folder, text.replace(/\/+$/, ''))) {
      if (name === null || contains(found.name, name)) matches.push(found.path);
    }
    return dict({ matches });
  }

  #count(name: PythonValue, mode: PythonValue): PythonValue {
    if (mode !== 'l' && mode !== 'w' && mode !== 'c') return error(`wc: invalid mode '${str(mode)}'`);
    const file = this.#file(name);
    if (file === null) return error(`wc: ${str(name)}: No such file or directory`);
    if (mode === 'l') return dict({ count: linesOf(file).length, type: 'lines' });
    if (mode === 'w') return dict({ count: splitWords(textWith(file.content, 'split')).length, type: 'words' });
    return dict({ count: length(file.content), type: 'characters' });
  }

  #usage(readable: boolean): string {
    let size = 0;
    for (const { item } of everythingIn(this.#current, '')) {
      if (item.kind === 'file') size += Buffer.byteLength(textWith(item.content, 'encode'));
    }
    if (!readable) return `${size} bytes`;
    for (const unit of UNITS) {
      if (size < 1024) return `${size.toFixed(2)} ${unit}`;
      size /= 1024;
    }
    return `${size.toFixed(2)} PB`;
  }

  #compare(first: PythonValue, second: PythonValue): PythonValue {
    const [a, b] = [this.#file(first), this.#item(first) === null ? null : this.#file(second)];
    if (a === null || b === null) return error(`diff: ${str(first)} or ${str(second)}: No such file or directory`);
    const [x, y] = [linesOf(a), linesOf(b)];
    const different = x.slice(0, y.length).flatMap((line, i) => (line === y[i] ? [] : [`- ${line}\n+ ${y[i]}`]));
    return dict({ diff_lines: different.join('\n') });
  }

  /** A moved or copied folder keeps its things: they still know the folder they were in as their parent. */
  #transfer(command: 'mv' | 'cp', source: PythonValue, to: PythonValue): PythonValue {
    const [verb, done] = command === 'mv' ? ['move', 'moved'] : ['copy', 'copied'];
    const item = this.#item(source);
    if (item === null) return error(`${command}: cannot ${verb} '${str(source)}': No such file or directory`);
    if (contains(to, '/')) {
      return error(`${command}: path not allowed in destination. Provide only a file or directory name.`);
    }
    const target = this.#item(to);
    if (target?.kind === 'file') {
      return error(`${command}: cannot ${verb} '${str(source)}' to '${str(to)}': Not a directory`);
    }
    const [inside, name] = target === null ? [this.#current, str(to)] : [target, str(source)];
    const shown = target === null ? str(to) : `${str(to)}/${str(source)}`;
    if (target?.contents.has(name)) {
      if (command === 'mv') return error(`mv: cannot move '${str(source)}' to '${shown}': File exists`);
      // The reference's check looks for a name with the folder in it, which there never is.
      const kind = item.kind === 'file' ? 'File' : 'Directory';
      throw new PythonError(`${kind} '${name}' already exists in directory '${inside.name}'.`);
    }
    if (command === 'mv') this.#current.contents.delete(str(source));
    if (item.kind === 'file') inside.contents.set(name, newFile(name, item.content));
    else {
      const folder = newFolder(name, inside);
      inside.contents.set(name, folder);
      folder.contents = command === 'mv' ? item.contents : new Map(item.contents);
    }
    return dict({ result: `'${str(source)}' ${done} to '${shown}'` });
  }

  #remove(name: PythonValue): PythonValue {
    if (this.#item(name) === null) return error(`rm: cannot remove '${str(name)}': No such file or directory`);
    this.#current.contents.delete(str(name));
    return dict({ result: `'${str(name)}' removed` });
  }

  #removeFolder(name: PythonValue): PythonValue {
    const item = this.#item(name);
    if (item === null) return error(`rmdir: cannot remove '${str(name)}': No such file or directory`);
    if (item.kind === 'file') return error(`rmdir: cannot remove '${str(name)}': Not a directory`);
    if (item.contents.size > 0) return error(`rmdir: cannot remove '${str(name)}': Directory not empty`);
    this.#current.contents.delete(str(name));
    return dict({ result: `'${str(name)}' removed` });
  }
}

const isName = (name: PythonValue): boolean => !FORBIDDEN.some((character) => contains(name, character));

const linesOf = (file: TextFile): string[] => splitLines(textWith(file.content, 'splitlines'));

/** lines[-count:], with the count at most all of them; as in Python, the last 0 lines are all, and of -2 lines all but 2. */
function lastOf(lines: readonly string[], count: PythonValue): readonly string[] {
  const wanted = greater(count, lines.length) ? lines.length : count;
  const start = minus(0, wanted);
  if (!isInt(start)) throw new PythonError('slice indices must be integers or None or have an __index__ method');
  return lines.slice(Number(start));
}
