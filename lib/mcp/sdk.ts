// The official SDK of the Model Context Protocol, loaded when it is needed: who has no tool server does not have to install it. Only
// what is used of it is described here, because its own types need those of browsers.
import { UserError } from '../errors.ts';

/** In milliseconds. */
interface RequestOptions {
  readonly timeout: number;
}

export interface SdkTool {
  readonly name: string;
  readonly description?: string;
  readonly inputSchema: {
    readonly properties?: Readonly<Record<string, object>>;
    readonly required?: readonly string[];
  };
}

export interface SdkResult {
  readonly content?: readonly { readonly type: string; readonly text?: string }[];
  readonly structuredContent?: unknown;
  readonly isError?: boolean;
}

export interface SdkClient {
  connect(transport: object, options: RequestOptions): Promise<void>;
  listTools(
    page: { readonly cursor?: string },
    options: RequestOptions,
  ): Promise<{ readonly tools: readonly SdkTool[]; readonly nextCursor?: string }>;
  callTool(
    call: { readonly name: string; readonly arguments: Readonly<Record<string, unknown>> },
    schema: undefined,
    options: RequestOptions,
  ): Promise<SdkResult>;
  close(): Promise<void>;
}

interface Sdk {
  readonly Client: new (info: { readonly name: string; readonly version: string }) => SdkClient;
  readonly StdioClientTransport: new (server: {
    readonly command: string;
    readonly args: readonly string[];
    readonly env: Readonly<Record<string, string>>;
    readonly stderr: 'pipe';
  }) => { readonly stderr: NodeJS.ReadableStream | null };
  readonly StreamableHTTPClientTransport: new (url: URL) => object;
}

const PACKAGE = '@modelcontextprotocol/sdk';

/** Throws a `UserError` that says what to install. */
export async function loadSdk(load: (module: string) => Promise<unknown> = (module) => import(module)): Promise<Sdk> {
  try {
    const modules = ['index', 'stdio', 'streamableHttp'].map((name) => load(`${PACKAGE}/client/${name}.js`));
    return Object.assign({}, ...(await Promise.all(modules))) as Sdk;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ERR_MODULE_NOT_FOUND') throw error;
    throw new UserError(
      `environment mcp needs the package ${PACKAGE}, which is not installed: npm install ${PACKAGE}@1`,
      { cause: error },
    );
  }
}
