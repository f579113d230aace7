// A peer lives in a process of its own, Python or Node: one line in, one repeat, one line out. Where it is not installed, its
// row says so and how to install it.
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

const python = process.env['EXIT_RL_PEER_PYTHON'] || 'python3';
/** Sources, not compiled: two folders up from dist/bench/support. */
const scripts = fileURLToPath(new URL('../../../bench/peers/', import.meta.url));

export const INSTALL =
  'peer not installed: create a Python environment, `pip install torch transformers trl datasets peft`, and name its python in EXIT_RL_PEER_PYTHON';

export const INSTALL_LLAMA =
  'peer not installed: `npm install node-llama-cpp` in a folder of its own, and name the folder in EXIT_RL_PEER_LLAMA';
/** The folder that holds node_modules/node-llama-cpp; null where none is named. */
export const llamaFolder = process.env['EXIT_RL_PEER_LLAMA'] || null;

interface Answer {
  readonly ready?: boolean;
  readonly version?: string;
  readonly seconds?: number | number[];
  /** Why a repeat failed; the peer lives on. */
  readonly error?: string;
}

/** Then a peer is ended by force: it may wait for its device. */
const MS_TO_END = 3000;

export class Peer {
  readonly name: string;
  version = '';
  #child: ChildProcess;
  #lines: AsyncIterator<string>;
  #log = '';

  private constructor(name: string, script: string, settings: object) {
    this.name = name;
    const program = script.endsWith('.mjs') ? process.execPath : python;
    this.#child = spawn(program, [scripts + script, JSON.stringify(settings)], { stdio: ['pipe', 'pipe', 'pipe'] });
    this.#child.on('error', (error) => {
      this.#log += error.message;
    });
    this.#child.stdin?.on('error', () => {});
    this.#child.stderr?.on('data', (chunk: Buffer) => {
      this.#log = (this.#log + chunk.toString()).slice(-4000);
    });
    this.#lines = createInterface({ input: this.#child.stdout! })[Symbol.asyncIterator]();
  }

  /** Starts a peer and waits for its warm-up; null, with the reason, when it cannot run here. */
  static async start(
    name: string,
    script: string,
    settings: object,
  ): Promise<Peer | { name: string; missing: string }> {
    if (!existsSync(scripts + script))
      return { name, missing: `bench/peers/${script} is not part of this installation` };
    const peer = new Peer(name, script, settings);
    const answer = await peer.#answer().catch(() => null);
    if (answer?.ready) {
      peer.version = answer.version ?? '';
      return peer;
    }
    await peer.stop();
    const install = script.endsWith('.mjs') ? INSTALL_LLAMA : INSTALL;
    const absent = /ModuleNotFoundError|ERR_MODULE_NOT_FOUND|ENOENT/.test(peer.#log);
    return { name, missing: absent || peer.#log === '' ? install : `failed: ${reason(peer.#log)}` };
  }

  /** One repeat; the peer times itself, so that pipes and JSON do not count. */
  async run(request: object = {}): Promise<number[]> {
    this.#child.stdin!.write(`${JSON.stringify(request)}\n`);
    const { seconds, error } = await this.#answer();
    if (error !== undefined) throw new Error(`${this.name}: ${error}`);
    return typeof seconds === 'number' ? [seconds] : (seconds ?? []);
  }

  /** Resolves when the process is gone, and with it its memory on a device. */
  async stop(): Promise<void> {
    const child = this.#child;
    if (child.pid === undefined || child.exitCode !== null || child.signalCode !== null) return;
    const gone = once(child, 'exit');
    child.stdin?.end();
    child.kill();
    const timer = setTimeout(() => child.kill('SIGKILL'), MS_TO_END);
    await gone;
    clearTimeout(timer);
  }

  async #answer(): Promise<Answer> {
    const { value, done } = await this.#lines.next();
    if (done) throw new Error(`${this.name} ended early: ${this.#log.trim()}`);
    return JSON.parse(value) as Answer;
  }
}

/** Python ends with the error, Node has it in the middle. */
function reason(log: string): string {
  const lines = log.trim().split('\n');
  return lines.find((line) => /^\w*Error\b/.test(line)) ?? lines.at(-1)!;
}

/** Starts peers one after the other, since each warms up on all threads. */
export async function startPeers(
  wanted: readonly (readonly [name: string, script: string, settings: object])[],
): Promise<{ running: Peer[]; missing: { name: string; missing: string }[] }> {
  const running: Peer[] = [];
  const missing: { name: string; missing: string }[] = [];
  for (const [name, script, settings] of wanted) {
    const peer = await Peer.start(name, script, settings);
    if (peer instanceof Peer) running.push(peer);
    else missing.push(peer);
  }
  return { running, missing };
}
