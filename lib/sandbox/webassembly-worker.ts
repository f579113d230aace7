// The thread of one program: sets up the interpreter, runs the program, answers with what it wrote.
import { parentPort, workerData } from 'node:worker_threads';
import quickjsVariant from '@jitl/quickjs-wasmfile-release-sync';
import {
  newQuickJSWASMModuleFromVariant,
  newVariant,
  type QuickJSContext,
  type QuickJSHandle,
  type QuickJSRuntime,
  type QuickJSSyncVariant,
} from 'quickjs-emscripten-core';
import { DataFolder } from './data-folder.ts';
import type { Outcome } from './types.ts';
import type { WorkerJob, WorkerResult } from './webassembly.ts';
import { WorkFolder } from './work-folder.ts';

const PAGE = 65536;
/** What the interpreter needs to start: its stack and tables. */
const FIRST_PAGES = 256;
/** Of the interpreter's own stack; beyond it a program gets an InternalError. */
const STACK_BYTES = 256 * 1024;

// Its types describe the CommonJS build, where the variant is one step further in.
const variant = quickjsVariant as unknown as QuickJSSyncVariant;
const job = workerData as WorkerJob;
const { limits } = job;

/** Ends the program whatever it catches: the interrupt handler sees it. */
let stopped: Outcome | null = null;
const printed: string[] = [];
let stderr = '';
let room = limits.outputBytes;
const work = new WorkFolder(limits);

async function main(): Promise<WorkerResult> {
  let runtime: QuickJSRuntime;
  let data: DataFolder;
  try {
    data = new DataFolder(job.data);
    runtime = await interpreter();
  } catch (error) {
    return { ...answer(null), outcome: 'broken', stderr: String(error) };
  }
  let exitCode: number | null = null;
  try {
    exitCode = evaluate(runtime.newContext(), data);
  } catch (error) {
    // The interpreter itself gave up: no memory for even the message, or a crash.
    stopped ??= /memory/i.test(String(error)) ? 'memory' : 'signal';
    stderr = String(error);
  }
  return answer(exitCode);
}

async function interpreter(): Promise<QuickJSRuntime> {
  const maximum = Math.min(65536, Math.max(FIRST_PAGES, Math.floor(limits.memoryBytes / PAGE)));
  // The runtime's own setMemoryLimit does not count what its allocator holds: the memory itself must have an end.
  const wasmMemory = new WebAssembly.Memory({ initial: FIRST_PAGES, maximum });
  const quickjs = await newQuickJSWASMModuleFromVariant(
    newVariant(variant, { wasmMemory, wasmModule: job.module as WebAssembly.Module }),
  );
  const runtime = quickjs.newRuntime();
  runtime.setMaxStackSize(STACK_BYTES);
  const deadline = performance.now() + 1000 * Math.min(limits.seconds, limits.cpuSeconds);
  const late: Outcome = limits.cpuSeconds < limits.seconds ? 'cpu' : 'timeout';
  runtime.setInterruptHandler(() => {
    if (performance.now() > deadline) stopped ??= late;
    return stopped !== null;
  });
  return runtime;
}

/** The program's exit code: 0, or 1 where an error was not caught. */
function evaluate(context: QuickJSContext, data: DataFolder): number | null {
  install(context, data);
  const result = context.evalCode(job.source, 'main.js', { type: 'global' });
  const failed = result.error ?? context.runtime.executePendingJobs().error ?? rejection(context, result.value);
  if (failed === undefined) return stopped === null ? 0 : null;
  stderr = describe(context, failed);
  if (/^InternalError: out of memory/.test(stderr) || stderr === 'null') stopped ??= 'memory';
  return stopped === null ? 1 : null;
}

/** Why the promise was rejected that the program ended with, as `main()` does; nobody else would say. */
function rejection(context: QuickJSContext, value: QuickJSHandle): QuickJSHandle | undefined {
  const state = context.getPromiseState(value);
  return state.type === 'rejected' ? state.error : undefined;
}

function describe(context: QuickJSContext, error: QuickJSHandle): string {
  const value: unknown = context.dump(error);
  if (typeof value !== 'object' || value === null) return String(value);
  const { name, message, stack } = value as { name?: unknown; message?: unknown; stack?: unknown };
  return `${String(name)}: ${String(message)}\n${String(stack ?? '')}`.slice(0, limits.outputBytes);
}

/** Strings travel as C strings, which end at a NUL. */
const withoutNul = (text: string): string => text.replaceAll('\0', '\ufffd');

/** Run inside, around the functions from outside. */
const GLOBALS = `{
  const text = (value) => String(value).replaceAll('\\0', '\\ufffd');
  const around = (name, outside = globalThis[name]) => { globalThis[name] = (...values) => outside(...values.map(text)); };
  for (const name of ['readFile', 'writeFile', 'print']) around(name);
  globalThis.console = { log: print, info: print, warn: print, error: print, debug: print };
}`;

/** The functions of a program; see prelude.ts. */
function install(context: QuickJSContext, data: DataFolder): void {
  const define = (name: string, body: (...values: string[]) => QuickJSHandle): void => {
    const handle = context.newFunction(name, (...values) => {
      try {
        return body(...values.map((value) => context.getString(value)));
      } catch (error) {
        return { error: context.newError(error instanceof Error ? error.message : String(error)) };
      }
    });
    context.setProp(context.global, name, handle);
    handle.dispose();
  };
  define('listFiles', () => {
    const names = context.newArray();
    for (const [i, name] of data.names().entries()) context.setProp(names, i, context.newString(name));
    return names;
  });
  define('readFile', (name) => context.newString(withoutNul(data.read(name ?? '', limits.memoryBytes))));
  define('writeFile', (name, text) => {
    work.write(name ?? '', text ?? '');
    return context.undefined;
  });
  define('print', (...values) => {
    print(`${values.join(' ')}\n`);
    return context.undefined;
  });
  context.unwrapResult(context.evalCode(GLOBALS)).dispose();
}

function print(text: string): void {
  const bytes = Buffer.from(text);
  const kept = bytes.subarray(0, Math.max(0, room)).toString();
  room -= bytes.length;
  if (kept !== '') {
    printed.push(kept);
    parentPort?.postMessage({ print: kept });
  }
  if (room < 0) stopped ??= 'output';
}

function answer(exitCode: number | null): WorkerResult {
  const { files, refused } = work.collect(job.collect);
  const done = stopped === null;
  return {
    outcome: stopped ?? 'exited',
    exitCode: done ? exitCode : null,
    stdout: printed.join(''),
    stderr,
    files,
    refused,
  };
}

parentPort?.postMessage(await main());
