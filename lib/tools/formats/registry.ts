// The forms in which models write calls, by name.
import type { CallFormat } from './format.ts';
import { hermes } from './hermes.ts';
import { llama } from './llama.ts';
import { python } from './python.ts';
import { toolTag } from './tool-tag.ts';

export const FORMATS = { tool: toolTag, hermes, llama, python } as const satisfies Readonly<Record<string, CallFormat>>;

export type FormatName = keyof typeof FORMATS;
