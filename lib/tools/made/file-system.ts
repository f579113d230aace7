// Errands among files.
import type { Random } from '../../rng.ts';
import { call, documents, type Errand, type Family, say, type Scene } from './family.ts';

const NAMES = [
  'report',
  'notes',
  'draft',
  'plan',
  'budget',
  'summary',
  'agenda',
  'invoice',
  'letter',
  'recipe',
  'todo',
  'log',
];
const KINDS = ['txt', 'md', 'csv', 'log'];
const FOLDERS = ['archive', 'backup', 'old', 'shared', 'projects', 'drafts', 'reports', 'private', 'incoming', 'done'];
const WORDS = [
  'alpha',
  'delta',
  'green',
  'winter',
  'amber',
  'river',
  'stone',
  'violet',
  'copper',
  'maple',
  'north',
  'quiet',
];

type Maker = (random: Random) => Errand | null;

/** What the folder with all the files holds. */
class Files implements Scene {
  readonly config: Scene['config'];
  readonly #files = new Map<string, readonly string[]>();
  readonly #folders: string[];
  /** Names that have ever been used: none comes back, so folders never hold one already. */
  readonly #used = new Set<string>();
  /** Paths in the folders. */
  readonly #inside = new Set<string>();
  readonly #makers: readonly Maker[];

  constructor(random: Random) {
    for (let left = 3 + random.below(3); left > 0; left--) this.#files.set(this.#newFile(random), lines(random));
    this.#folders = [random.pick(FOLDERS)];
    const files = Array.from(this.#files, ([name, text]) => [name, { type: 'file', content: text.join('\n') }]);
    const folders = this.#folders.map((name) => [name, { type: 'directory', contents: {} }]);
    this.config = { root: { home: { type: 'directory', contents: Object.fromEntries([...files, ...folders]) } } };
    this.#makers = [
      (r) => this.#folder(r),
      (r) => this.#create(r),
      (r) => this.#write(r),
      (r) => this.#move(r),
      (r) => this.#copy(r),
      (r) => this.#remove(r),
      (r) => this.#rename(r),
      (r) => this.#read(r),
    ];
  }

  errand(random: Random): Errand | null {
    return random.pick(this.#makers)(random);
  }

  #newFile(random: Random): string {
    for (;;) {
      const name = `${random.pick(NAMES)}.${random.pick(KINDS)}`;
      if (this.#used.has(name)) continue;
      this.#used.add(name);
      return name;
    }
  }

  #file(random: Random): string | null {
    return this.#files.size === 0 ? null : random.pick([...this.#files.keys()]);
  }

  #folder(random: Random): Errand | null {
    const name = random.pick(FOLDERS);
    if (this.#folders.includes(name)) return null;
    this.#folders.push(name);
    const request = say(random, `Make a folder called ${name}.`, `I need a new directory named ${name} here.`);
    return { request, calls: [call('mkdir', { dir_name: name })] };
  }

  #create(random: Random): Errand {
    const name = this.#newFile(random);
    this.#files.set(name, []);
    const request = say(
      random,
      `Create an empty file ${name}.`,
      `Please add a file named ${name}, with nothing in it yet.`,
    );
    return { request, calls: [call('touch', { file_name: name })] };
  }

  #write(random: Random): Errand {
    const name = this.#newFile(random);
    const content = `${random.pick(WORDS)} ${random.pick(WORDS)}`;
    this.#files.set(name, [content]);
    const request = say(
      random,
      `Create a file ${name} and write '${content}' into it.`,
      `Put the words '${content}' into a new file called ${name}.`,
    );
    return { request, calls: [call('touch', { file_name: name }), call('echo', { content, file_name: name })] };
  }

  #move(random: Random): Errand | null {
    const [name, folder] = [this.#file(random), random.pick(this.#folders)];
    if (name === null || !this.#enters(name, folder)) return null;
    this.#files.delete(name);
    const request = say(
      random,
      `Move ${name} into the folder ${folder}.`,
      `${name} belongs into ${folder}: move it there.`,
    );
    return { request, calls: [call('mv', { source: name, destination: folder })] };
  }

  #copy(random: Random): Errand | null {
    const [name, folder] = [this.#file(random), random.pick(this.#folders)];
    if (name === null || !this.#enters(name, folder)) return null;
    const request = say(random, `Copy ${name} to the folder ${folder}.`, `Keep a copy of ${name} in ${folder}.`);
    return { request, calls: [call('cp', { source: name, destination: folder })] };
  }

  /** Whether a folder has no such thing yet; from now on it has. */
  #enters(name: string, folder: string): boolean {
    const path = `${folder}/${name}`;
    if (this.#inside.has(path)) return false;
    this.#inside.add(path);
    return true;
  }

  #remove(random: Random): Errand | null {
    const name = this.#file(random);
    if (name === null || this.#files.size < 2) return null;
    this.#files.delete(name);
    const request = say(random, `Delete ${name}.`, `I no longer need ${name}, remove it.`);
    return { request, calls: [call('rm', { file_name: name })] };
  }

  #rename(random: Random): Errand | null {
    const [from, to] = [this.#file(random), this.#newFile(random)];
    if (from === null) return null;
    this.#files.set(to, this.#files.get(from)!);
    this.#files.delete(from);
    const request = say(random, `Rename ${from} to ${to}.`, `${from} should be called ${to} from now on.`);
    return { request, calls: [call('mv', { source: from, destination: to })] };
  }

  /** Questions: nothing changes, but the right call has to be made. */
  #read(random: Random): Errand | null {
    const name = this.#file(random);
    if (name === null) return null;
    const text = this.#files.get(name)!;
    const count = 1 + random.below(3);
    const word = random.pick(WORDS);
    const questions: readonly Errand[] = [
      { request: say(random, `What does ${name} say?`, `Show me ${name}.`), calls: [call('cat', { file_name: name })] },
      { request: `How many words are in ${name}?`, calls: [call('wc', { file_name: name, mode: 'w' })] },
      {
        request: say(
          random,
          `Find the lines of ${name} with the word '${word}'.`,
          `Where in ${name} is '${word}' mentioned?`,
        ),
        calls: [call('grep', { file_name: name, pattern: word })],
      },
      {
        request: `Give me the last ${count} lines of ${name}.`,
        calls: [call('tail', { file_name: name, lines: count })],
      },
      { request: `Sort the lines of ${name}.`, calls: [call('sort', { file_name: name })] },
    ];
    return text.length === 0 ? null : random.pick(questions);
  }
}

const lines = (random: Random): string[] =>
  Array.from({ length: 1 + random.below(4) }, () => `${random.pick(WORDS)} ${random.pick(WORDS)} ${random.below(100)}`);

export const fileSystem: Family = {
  className: 'GorillaFileSystem',
  scene: (random) => new Files(random),
  documents: documents(`
    pwd(): The path of the current folder.
    ls(a?: bool): Names in the current folder; hidden ones too where a is true.
    cd(folder: str): Go into a folder that is in the current one, or to '..', the one above.
    mkdir(dir_name: str): Make a folder in the current one.
    touch(file_name: str): Make an empty file in the current folder.
    echo(content: str, file_name?: str): Write content into an existing file of the current folder in place of what it held; without a file, show it.
    cat(file_name: str): The content of a file in the current folder.
    find(path?: str, name?: str): Paths of everything below a folder whose name contains the given one.
    wc(file_name: str, mode?: str): Count the lines (l), words (w) or characters (c) of a file.
    sort(file_name: str): The lines of a file in alphabetical order.
    grep(file_name: str, pattern: str): The lines of a file that contain a pattern.
    du(human_readable?: bool): The size of everything in the current folder.
    tail(file_name: str, lines?: int): The last lines of a file, 10 unless said otherwise.
    diff(file_name1: str, file_name2: str): How the lines of two files differ.
    mv(source: str, destination: str): Move something into a folder, or rename it. No paths: names in the current folder.
    rm(file_name: str): Remove a file or folder.
    rmdir(dir_name: str): Remove an empty folder.
    cp(source: str, destination: str): Copy something into a folder, or under another name. No paths: names in the current folder.
  `),
};
