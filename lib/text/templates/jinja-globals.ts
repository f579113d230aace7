// Functions that chat templates call, with Python's behaviour where @huggingface/jinja's differs.
import {
  ArrayValue,
  BooleanValue,
  FunctionValue,
  IntegerValue,
  NullValue,
  type RuntimeValue,
  StringValue,
} from './jinja-package.ts';
import { dumpJson, pythonEqual, pythonText } from './python-values.ts';
import { strftime } from './strftime.ts';

/** A template called raise_exception. */
export class TemplateRefusal extends Error {}

type Function = (args: readonly RuntimeValue[], named: ReadonlyMap<string, RuntimeValue>) => RuntimeValue;

/** As in Jinja's sandbox. */
const LONGEST_RANGE = 100_000;
const SPACE = '\\t-\\r\\x1c-\\x20\\x85\\xa0\\u1680\\u2000-\\u200a\\u2028\\u2029\\u202f\\u205f\\u3000';

/** Names with a space cannot be written in a template: calls of them are put in when it is compiled. */
export const PYTHON_EQUAL = 'python ==';
export const PYTHON_PRINT = 'python print';
export const PYTHON_TOJSON = 'python tojson';
export const PYTHON_STRIPS = { strip: 'python strip', lstrip: 'python lstrip', rstrip: 'python rstrip' } as const;

export function templateGlobals(now: Date): Map<string, RuntimeValue> {
  const functions: Record<string, Function> = {
    raise_exception: ([message]) => {
      throw new TemplateRefusal(message === undefined ? 'no reason given' : pythonText(message));
    },
    strftime_now: ([format]) => new StringValue(strftime(now, String(format?.value))),
    range: (args) => new ArrayValue(range(args.map(({ value }) => Number(value)))),
    [PYTHON_TOJSON]: ([value, ensureAscii], named) => {
      const indent = named.get('indent')?.value ?? null;
      const separators = named.get('separators')?.value as readonly RuntimeValue[] | null | undefined;
      const text = dumpJson(value!, {
        indent: indent === null ? null : Number(indent),
        ensureAscii: Boolean((named.get('ensure_ascii') ?? ensureAscii)?.value),
        separators: separators
          ? [String(separators[0]?.value), String(separators[1]?.value)]
          : [indent === null ? ', ' : ',', ': '],
        sortKeys: Boolean(named.get('sort_keys')?.value),
      });
      return new StringValue(text);
    },
    [PYTHON_EQUAL]: ([left, right]) => new BooleanValue(pythonEqual(left!, right!)),
    [PYTHON_PRINT]: ([value, name]) => {
      if (name !== undefined && value!.type === 'UndefinedValue') {
        throw new TemplateRefusal(`it prints ${name.value}, which the tokenizer does not define`);
      }
      return new StringValue(pythonText(value!));
    },
    [PYTHON_STRIPS.strip]: ([text, characters]) => strip(text!, characters, true, true),
    [PYTHON_STRIPS.lstrip]: ([text, characters]) => strip(text!, characters, true, false),
    [PYTHON_STRIPS.rstrip]: ([text, characters]) => strip(text!, characters, false, true),
  };
  const values = new Map<string, RuntimeValue>();
  for (const [name, call] of Object.entries(functions)) values.set(name, functionValue(call));
  for (const name of ['true', 'True']) values.set(name, new BooleanValue(true));
  for (const name of ['false', 'False']) values.set(name, new BooleanValue(false));
  for (const name of ['none', 'None']) values.set(name, new NullValue(null));
  return values;
}

function functionValue(call: Function): RuntimeValue {
  return new FunctionValue((args) => {
    const last = args.at(-1);
    if (last?.type !== 'KeywordArgumentsValue') return call(args, new Map());
    return call(args.slice(0, -1), last.value as ReadonlyMap<string, RuntimeValue>);
  });
}

function strip(text: RuntimeValue, characters: RuntimeValue | undefined, left: boolean, right: boolean): RuntimeValue {
  const given = characters?.type === 'StringValue' ? (characters.value as string) : null;
  const set = given === null ? SPACE : given.replace(/[\\\]^-]/g, '\\$&');
  let out = pythonText(text);
  if (set === '') return new StringValue(out);
  if (left) out = out.replace(new RegExp(`^[${set}]+`, 'u'), '');
  if (right) out = out.slice(0, out.length - trailing(out, new RegExp(`[${set}]`, 'u')));
  return new StringValue(out);
}

/** Code units at the end of `text` that are in the set. */
function trailing(text: string, set: RegExp): number {
  let end = text.length;
  while (end > 0) {
    const width = /[\udc00-\udfff]/.test(text[end - 1]!) ? 2 : 1;
    if (!set.test(text.slice(end - width, end))) break;
    end -= width;
  }
  return text.length - end;
}

function range(args: readonly number[]): RuntimeValue[] {
  const [start, stop, step] = args.length === 1 ? [0, args[0]!, 1] : [args[0]!, args[1]!, args[2] ?? 1];
  const length = Math.max(0, Math.ceil((stop - start) / step));
  if (!(length <= LONGEST_RANGE)) throw new Error(`range(${args.join(', ')}) is longer than ${LONGEST_RANGE}`);
  return Array.from({ length }, (_, i) => new IntegerValue(start + i * step));
}
