// Chat templates: Jinja as transformers runs it, on @huggingface/jinja.
import { UserError } from '../../errors.ts';
import { PYTHON_EQUAL, PYTHON_PRINT, PYTHON_STRIPS, PYTHON_TOJSON, templateGlobals } from './jinja-globals.ts';
import {
  Environment,
  Interpreter,
  parse,
  type RuntimeValue,
  StringValue,
  type SyntaxNode,
  syntaxNode,
  tokenize,
} from './jinja-package.ts';

/** Put around the output of {% generation %} blocks. */
export interface GenerationMarks {
  readonly begin: string;
  readonly end: string;
}

const GENERATION_TAG = /\{%(-?)\s*(end)?generation\s*(-?)%\}/g;
const BEGIN = 'generation begin';
const END = 'generation end';
const STATEMENTS = ['If', 'For', 'Set', 'Macro', 'CallStatement', 'FilterStatement', 'Break', 'Continue', 'Comment'];

export class JinjaTemplate {
  /** Whether it marks what the assistant says with {% generation %} blocks. */
  readonly marksGeneration: boolean;
  /** Every piece of text written in it. */
  readonly literals: readonly string[];
  private readonly program: SyntaxNode;

  /** `checked`: variables that must be defined where they are printed. Throws a `UserError` from `where`. */
  constructor(source: string, checked: ReadonlySet<string>, where: string) {
    this.marksGeneration = source.search(GENERATION_TAG) >= 0;
    // As a block the tag keeps its white-space control; rewriting takes the filter out again.
    const tagged = source
      .replace(/\r\n?/g, '\n')
      .replace(
        GENERATION_TAG,
        (_, left: string, end: string | undefined, right: string) =>
          `{%${left} ${end === undefined ? 'filter generation' : 'endfilter'} ${right}%}`,
      );
    try {
      const rewriter = new Rewriter(checked);
      this.program = rewriter.rewrite(
        parse(tokenize(tagged, { lstrip_blocks: true, trim_blocks: true })),
      ) as SyntaxNode;
      this.literals = rewriter.literals;
    } catch (error) {
      throw new UserError(`${where} is not a valid template: ${(error as Error).message}`, { cause: error });
    }
  }

  /** Throws whatever the template runs into; `TemplateRefusal` where it calls raise_exception. */
  render(variables: ReadonlyMap<string, RuntimeValue>, marks: GenerationMarks, now: Date): string {
    const scope = new Environment();
    for (const [name, value] of templateGlobals(now)) scope.setVariable(name, value);
    for (const [name, value] of variables) scope.setVariable(name, value);
    scope.setVariable(BEGIN, new StringValue(marks.begin));
    scope.setVariable(END, new StringValue(marks.end));
    return new Interpreter(scope).run(this.program).value as string;
  }
}

/** Turns what behaves differently in Python into calls of our functions, and generation blocks into their content. */
class Rewriter {
  readonly literals: string[] = [];
  private readonly checked: ReadonlySet<string>;

  constructor(checked: ReadonlySet<string>) {
    this.checked = checked;
  }

  rewrite(value: unknown): unknown {
    if (Array.isArray(value)) return value.map((item) => this.rewrite(item));
    if (value instanceof Map) {
      return new Map(Array.from(value, ([key, member]) => [this.rewrite(key), this.rewrite(member)]));
    }
    if (typeof value !== 'object' || value === null) return value;
    const node = value as Record<string, unknown> & SyntaxNode;
    for (const [name, member] of Object.entries(node)) {
      if (name === 'body' || name === 'alternate' || name === 'defaultBlock') node[name] = this.block(member);
      else if (typeof member === 'object') node[name] = this.rewrite(member);
    }
    if (node.type === 'StringLiteral') this.literals.push(node['value'] as string);
    return this.replaced(node);
  }

  private block(statements: unknown): SyntaxNode[] {
    return ((statements ?? []) as SyntaxNode[]).flatMap((statement) => {
      const node = this.rewrite(statement) as SyntaxNode;
      if (node.type === 'FilterStatement' && nameOf(node['filter']) === 'generation') {
        return [identifier(BEGIN), ...(node['body'] as SyntaxNode[]), identifier(END)];
      }
      if (node.type === 'StringLiteral' || STATEMENTS.includes(node.type)) return [node];
      const name = nameOf(node);
      const checked =
        name !== null && this.checked.has(name) ? [syntaxNode({ type: 'StringLiteral', value: name })] : [];
      return [call(PYTHON_PRINT, [node, ...checked])];
    });
  }

  private replaced(node: SyntaxNode): SyntaxNode {
    if (node.type === 'FilterExpression') {
      const filter = node['filter'] as SyntaxNode;
      const args = filter.type === 'CallExpression' ? (filter['args'] as SyntaxNode[]) : [];
      const name = nameOf(filter.type === 'CallExpression' ? filter['callee'] : filter);
      const operand = node['operand'] as SyntaxNode;
      if (name === 'tojson') return call(PYTHON_TOJSON, [operand, ...args]);
      if (name === 'string') return call(PYTHON_PRINT, [operand]);
      if (name === 'trim') return call(PYTHON_STRIPS.strip, [operand, ...args]);
    }
    if (node.type === 'BinaryExpression') {
      const operator = (node['operator'] as SyntaxNode)['value'];
      const equal = call(PYTHON_EQUAL, [node['left'] as SyntaxNode, node['right'] as SyntaxNode]);
      if (operator === '==') return equal;
      if (operator === '!=')
        return syntaxNode({ type: 'UnaryExpression', operator: { value: 'not' }, argument: equal });
    }
    if (node.type === 'CallExpression') {
      const callee = node['callee'] as SyntaxNode;
      const name =
        callee.type === 'MemberExpression' && callee['computed'] === false ? nameOf(callee['property']) : null;
      if (name !== null && Object.hasOwn(PYTHON_STRIPS, name)) {
        const strip = PYTHON_STRIPS[name as keyof typeof PYTHON_STRIPS];
        return call(strip, [callee['object'] as SyntaxNode, ...(node['args'] as SyntaxNode[])]);
      }
    }
    return node;
  }
}

const identifier = (value: string): SyntaxNode => syntaxNode({ type: 'Identifier', value });

const call = (name: string, args: readonly SyntaxNode[]): SyntaxNode =>
  syntaxNode({ type: 'CallExpression', callee: identifier(name), args });

function nameOf(node: unknown): string | null {
  const { type, value } = node as SyntaxNode;
  return type === 'Identifier' ? (value as string) : null;
}
