// The settings as a list, for help.
import { configJsonSchema } from './load.ts';

export interface Setting {
  readonly path: string;
  readonly type: string;
  /** ' = value', or nothing when the setting must be given. */
  readonly standard: string;
  readonly help: string;
}

interface Node {
  readonly type?: string | readonly string[];
  readonly enum?: readonly unknown[];
  readonly const?: unknown;
  readonly default?: unknown;
  readonly description?: string;
  readonly properties?: Readonly<Record<string, Node>>;
  readonly items?: Node;
  readonly anyOf?: readonly Node[];
  readonly oneOf?: readonly Node[];
}

/** Every leaf of the schema, in its order. */
export function describeSettings(): Setting[] {
  return leaves(configJsonSchema() as Node, '');
}

function leaves(node: Node, path: string): Setting[] {
  const options = node.anyOf ?? node.oneOf ?? [node];
  const inner = options.filter((option) => option.properties);
  if (inner.length > 0) {
    return inner.flatMap(({ properties }) =>
      Object.entries(properties!).flatMap(([key, child]) => leaves(child, path === '' ? key : `${path}.${key}`)),
    );
  }
  const standard = node.default === undefined ? '' : ` = ${JSON.stringify(node.default)}`;
  return [
    {
      path,
      type: options.map(typeName).join(' | '),
      standard,
      help: node.description ? `  # ${node.description}` : '',
    },
  ];
}

function typeName(node: Node): string {
  if (node.enum) return node.enum.map(String).join(' | ');
  if (node.const !== undefined) return String(node.const);
  if (node.items) return `list of ${typeName(node.items)}`;
  return [node.type ?? 'any'].flat().join(' | ');
}
