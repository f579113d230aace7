// YAML text -> configuration. Every complaint names file, line and column, or the --set it is about.
import { readFileSync } from 'node:fs';
import { type Document, isMap, isNode, isPair, isScalar, LineCounter, parse, parseDocument, stringify } from 'yaml';
import { z } from 'zod';
import { UsageError } from '../errors.ts';
import { explainIssue, knownKeys } from './explain.ts';
import { type Config, schema } from './schema.ts';

export interface Source {
  /** File name for messages. */
  readonly name: string;
  readonly text: string;
  /** Overrides `a.b=c`, the value in YAML. */
  readonly set?: readonly string[];
  /** Nobody wrote the text as it is: lines and columns would say nothing. */
  readonly generated?: boolean;
}

type Path = readonly PropertyKey[];

/** Reads and checks a configuration file. */
export const loadConfig = (file: string, set: readonly string[] = []): Config => loadSettings(schema, file, set);

/** Reads and checks a file of settings against any schema. */
export function loadSettings<T>(schema: z.ZodType<T>, file: string, set: readonly string[] = []): T {
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (error) {
    throw new UsageError(`cannot read the configuration ${file}: ${(error as Error).message}`, { cause: error });
  }
  return parseSettings(schema, { name: file, text, set });
}

/** Checks a configuration given as text. */
export const parseConfig = (source: Source): Config => parseSettings(schema, source);

/** Checks settings given as text against any schema. */
export function parseSettings<T>(schema: z.ZodType<T>, { name, text, set = [], generated = false }: Source): T {
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines });
  const position = (offset: number): string => {
    if (generated) return name;
    const { line, col } = lines.linePos(offset);
    return `${name}:${line}:${col}`;
  };
  const broken = document.errors[0];
  if (broken) throw new UsageError(`${position(broken.pos[0])}: ${broken.message.split(' at line ')[0]}`);
  const raw: unknown = document.toJS() ?? {};
  if (typeof raw !== 'object' || raw === null || Array.isArray(raw)) {
    throw new UsageError(`${name}:1:1: expected a mapping of settings`);
  }
  const overridden = set.map((assignment) => override(raw as Record<string, unknown>, assignment));
  const result = schema.safeParse(raw);
  if (result.success) return result.data;
  const complaints = result.error.issues.flatMap((issue) =>
    explainIssue(issue, raw, knownKeys(schema, issue.path)).map(({ path, key, message }) => {
      const from = overridden.find((o) => o.path.every((part, i) => [...path, key][i] === part));
      const offset = from ? Number.POSITIVE_INFINITY : offsetOf(document, path, key);
      return { offset, text: `${from ? `--set ${from.assignment}` : position(offset)}: ${message}` };
    }),
  );
  const inOrder = complaints.sort((a, b) => (a.offset === b.offset ? 0 : a.offset - b.offset));
  throw new UsageError(inOrder.map(({ text }) => text).join('\n'));
}

/** The configuration as YAML, defaults included. */
export const formatConfig = (config: Config): string => stringify(config);

/** For editors: `# yaml-language-server: $schema=...`. */
export const configJsonSchema = (): unknown => z.toJSONSchema(schema, { io: 'input' });

/** Applies `a.b=c` to the raw mapping. */
function override(raw: Record<string, unknown>, assignment: string): { assignment: string; path: string[] } {
  const equals = assignment.indexOf('=');
  if (equals < 1) throw new UsageError(`--set ${assignment}: expected key=value, for example train.steps=100`);
  const path = assignment.slice(0, equals).split('.');
  let value: unknown;
  try {
    value = parse(assignment.slice(equals + 1));
  } catch (error) {
    throw new UsageError(`--set ${assignment}: the value is not YAML: ${(error as Error).message.split('\n')[0]}`);
  }
  let target = raw;
  for (const part of path.slice(0, -1)) {
    const inner = Object.hasOwn(target, part) ? target[part] : null;
    if (inner !== null && (typeof inner !== 'object' || Array.isArray(inner))) {
      throw new UsageError(`--set ${assignment}: ${part} holds a value, not settings`);
    }
    target[part] = inner ?? {};
    target = target[part] as Record<string, unknown>;
  }
  target[path.at(-1)!] = value;
  return { assignment, path };
}

/** Where in the text the thing stands that an issue is about: the key if one is named, else the value, else its nearest parent. */
function offsetOf(document: Document, path: Path, key: string | null): number {
  for (let depth = path.length; depth >= 0; depth--) {
    const node = depth === 0 ? document.contents : document.getIn(path.slice(0, depth), true);
    if (!isNode(node)) continue;
    if (depth === path.length && key !== null && isMap(node)) {
      const pair = node.items.find((item) => isPair(item) && isScalar(item.key) && item.key.value === key);
      if (pair && isScalar(pair.key)) return pair.key.range?.[0] ?? 0;
    }
    return node.range?.[0] ?? 0;
  }
  return 0;
}
