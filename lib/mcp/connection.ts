// A connection to a tool server of the Model Context Protocol.
import { packageVersion } from '../config/root.ts';
import { shortened } from '../text/shortened.ts';
import type { FunctionDocument } from '../tools/bfcl/functions.ts';
import { loadSdk, type SdkClient, type SdkResult, type SdkTool } from './sdk.ts';

/** Where the server is: a program that talks over stdin and stdout, or an address of streamable HTTP. */
export type Place =
  | { readonly command: string; readonly args: readonly string[]; readonly env: Readonly<Record<string, string>> }
  | { readonly url: string };

/** The server could not do its work; nothing is known about the answer. */
export class ToolServerError extends Error {}

/** Longer results are cut, in characters. */
const LONGEST_RESULT = 16_000;
/** Of what a program says on stderr, in characters. */
const LONGEST_COMPLAINT = 500;

export class ToolConnection {
  readonly #client: SdkClient;
  readonly #timeout: number;
  readonly #complaint: () => string;

  private constructor(client: SdkClient, timeout: number, complaint: () => string) {
    this.#client = client;
    this.#timeout = timeout;
    this.#complaint = complaint;
  }

  /** `seconds`: longest wait for any reply. Throws a `ToolServerError`, and a `UserError` where the SDK is missing. */
  static async open(place: Place, seconds: number): Promise<ToolConnection> {
    const { Client, StdioClientTransport, StreamableHTTPClientTransport } = await loadSdk();
    const client = new Client({ name: 'exit-rl', version: packageVersion() });
    let said = '';
    const transport = (): object => {
      if ('url' in place) return new StreamableHTTPClientTransport(new URL(place.url));
      const stdio = new StdioClientTransport({ ...place, stderr: 'pipe' });
      stdio.stderr?.on('data', (text: Buffer) => {
        said = (said + String(text)).slice(-LONGEST_COMPLAINT);
      });
      return stdio;
    };
    const complaint = (): string => (said.trim() === '' ? '' : `; it said: ${said.trim()}`);
    const connection = new ToolConnection(client, 1000 * seconds, complaint);
    try {
      await client.connect(transport(), { timeout: 1000 * seconds });
    } catch (error) {
      await connection.close();
      throw connection.#failure(error);
    }
    return connection;
  }

  /** What the server offers. */
  async tools(): Promise<FunctionDocument[]> {
    const found: FunctionDocument[] = [];
    let cursor: string | undefined;
    try {
      do {
        const page = await this.#client.listTools(cursor === undefined ? {} : { cursor }, { timeout: this.#timeout });
        found.push(...page.tools.map(documentOf));
        cursor = page.nextCursor;
      } while (cursor !== undefined);
    } catch (error) {
      throw this.#failure(error);
    }
    return found;
  }

  /** The result of a call as text; what the server says is wrong with a call is one, too. */
  async call(name: string, given: Readonly<Record<string, unknown>>): Promise<string> {
    try {
      const call = { name, arguments: given };
      const result = await this.#client.callTool(call, undefined, { timeout: this.#timeout });
      return shortened(`${result.isError === true ? 'Error: ' : ''}${textOf(result)}`, LONGEST_RESULT);
    } catch (error) {
      if (isRefusal(error)) return shortened(`Error: ${error.message}`, LONGEST_RESULT);
      throw this.#failure(error);
    }
  }

  async close(): Promise<void> {
    await this.#client.close().catch(() => {});
  }

  #failure(error: unknown): ToolServerError {
    return new ToolServerError(`${error instanceof Error ? error.message : String(error)}${this.#complaint()}`);
  }
}

/** Codes of JSON-RPC are below 0; these two are the SDK's own for a connection that is gone and a reply that does not come. */
const LOST = [-32_000, -32_001];

/** Whether the server refused a call: it does not know the tool, or its arguments are wrong. */
function isRefusal(error: unknown): error is Error {
  const { code } = error as { code?: unknown };
  return error instanceof Error && typeof code === 'number' && code < 0 && !LOST.includes(code);
}

function documentOf({ name, description = '', inputSchema }: SdkTool): FunctionDocument {
  const { properties = {}, required = [] } = inputSchema;
  const members = Object.fromEntries(Object.entries(properties).map(([member, schema]) => [member, { ...schema }]));
  return { name, description, parameters: { ...inputSchema, properties: members, required: [...required] } };
}

function textOf({ content = [], structuredContent }: SdkResult): string {
  if (content.length === 0 && structuredContent !== undefined) return JSON.stringify(structuredContent);
  return content.map(({ type, text }) => (type === 'text' ? text : `[${type}]`)).join('\n');
}
