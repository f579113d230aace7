// Text in and out: encoding, decoding and chat templates. The text is this repository's own documents and source.
import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { packageRoot } from '../lib/config/root.ts';
import { Chat } from '../lib/text/chat.ts';
import type { Message } from '../lib/text/messages.ts';
import { Tokenizer } from '../lib/text/tokenizer.ts';
import { median } from './support/median.ts';
import type { BenchOptions } from './support/options.ts';
import { type Cell, digits, type Report } from './support/report.ts';

const golden = path.join(packageRoot(), 'test/fixtures/golden/tokenizer');
/** Small vocabularies of every kind; EXIT_RL_BENCH_TOKENIZER adds a folder with a real one. */
const FOLDERS = ['bpe-gpt2', 'bpe-qwen2', 'bpe-llama3', 'bpe-spm'].map((name) => path.join(golden, name));
const TEMPLATES = { chatml: 'bpe-qwen2', qwen: 'bpe-qwen2', llama3: 'bpe-llama3' };
/** Documents are cut to this many code units: tokenizers see samples, not books. */
const DOCUMENT = 2000;
const TURNS = 3;

export async function tokenizer({ repeats, only }: BenchOptions): Promise<Report> {
  const rows: Cell[][] = [];
  const data: object[] = [];
  const measure = (what: string, of: string, amount: number, unit: string, run: () => void): void => {
    if (only !== null && !`${what} ${of}`.includes(only)) return;
    run(); // compiled by then
    const seconds = Array.from({ length: repeats }, () => timed(run));
    const middle = median(seconds);
    rows.push([what, of, digits(middle * 1e3), `${digits(amount / middle)} ${unit}`]);
    data.push({ what, of, seconds, amount, unit });
  };
  const real = process.env['EXIT_RL_BENCH_TOKENIZER'];
  for (const folder of real === undefined ? FOLDERS : [...FOLDERS, real]) {
    for (const [kind, text] of Object.entries({ prose: sources('.md'), code: sources('.ts') })) {
      const of = `${path.basename(folder)}, ${kind}`;
      const documents = text.match(new RegExp(`[^]{1,${DOCUMENT}}`, 'g')) ?? [];
      const megabytes = Buffer.byteLength(text) / 1e6;
      const fresh = Array.from({ length: repeats + 1 }, () => Tokenizer.load(folder));
      measure('encode, first time', of, megabytes, 'MB/s', () => {
        const next = fresh.pop()!;
        for (const document of documents) next.encode(document);
      });
      const warm = Tokenizer.load(folder);
      const ids = documents.map((document) => warm.encode(document));
      measure('encode, words known', of, megabytes, 'MB/s', () => {
        for (const document of documents) warm.encode(document);
      });
      measure('decode', of, megabytes, 'MB/s', () => {
        for (const sequence of ids) warm.decode(sequence);
      });
    }
    measure('load', path.basename(folder), 1, '/s', () => Tokenizer.load(folder));
  }
  for (const [name, folder] of Object.entries(TEMPLATES)) {
    const source = readFileSync(path.join(golden, 'templates', `${name}.jinja`), 'utf8');
    const chat = new Chat(Tokenizer.load(path.join(golden, folder)), { default: source });
    const conversations = talks(sources('.md'));
    const of = `${name}, ${TURNS} turns`;
    const each = (use: (messages: Message[]) => void) => (): void => conversations.forEach(use);
    measure(
      'render',
      of,
      conversations.length,
      '/s',
      each((messages) => chat.render(messages)),
    );
    measure(
      'render and encode',
      of,
      conversations.length,
      '/s',
      each((messages) => chat.encode(messages)),
    );
    measure(
      'the same with mask',
      of,
      conversations.length,
      '/s',
      each((messages) => chat.encodeMasked(messages)),
    );
  }
  const columns = ['what', 'of', 'ms', 'rate'];
  const notes = [
    `CPU seconds of the process, one thread. Texts of ${DOCUMENT} characters; conversations of ${TURNS} questions and answers.`,
  ];
  return { name: 'tokenizer', title: 'Tokenizers and chat templates', columns, rows, notes, data };
}

/** CPU seconds of the process: one thread works, and what else the machine does must not count. */
function timed(run: () => void): number {
  const start = process.cpuUsage();
  run();
  const { user, system } = process.cpuUsage(start);
  return (user + system) / 1e6;
}

/** The repository's files with an ending, as one text. */
function sources(ending: string): string {
  const folders = ending === '.md' ? ['.', 'docs', 'bench'] : ['lib', 'bench'];
  const files = folders.flatMap((folder) => {
    const names = readdirSync(path.join(packageRoot(), folder), { recursive: folder === 'lib' }) as string[];
    return names.filter((name) => name.endsWith(ending)).map((name) => path.join(packageRoot(), folder, name));
  });
  return files.map((file) => readFileSync(file, 'utf8')).join('\n');
}

/** Paragraphs as questions and answers. */
function talks(text: string): Message[][] {
  const paragraphs = text.split('\n\n').filter((paragraph) => paragraph.length > 40);
  const messages = paragraphs.map((content, i) => ({ role: i % 2 === 0 ? 'user' : 'assistant', content }));
  const size = 2 * TURNS;
  return Array.from({ length: Math.floor(messages.length / size) }, (_, i) => messages.slice(i * size, (i + 1) * size));
}
