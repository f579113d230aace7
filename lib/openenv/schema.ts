// What a server says about its actions, where it says so: wrong settings are found before anything is sampled.
import { z } from 'zod';
import { UsageError } from '../errors.ts';
import type { Translation } from './translate.ts';

const SCHEMA = z.looseObject({
  action: z.looseObject({
    properties: z.record(z.string(), z.unknown()),
    required: z.array(z.string()).default([]),
  }),
});

/** Throws a `UsageError` for actions that the server's /schema does not allow. A server without one is believed. */
export async function checkSchema(url: string, seconds: number, translation: Translation): Promise<void> {
  const { actionField, actionWith } = translation;
  if (actionField === null) return;
  const schema = await schemaOf(url, seconds);
  if (schema === null) return;
  const { properties, required } = schema.action;
  const sent = [...Object.keys(actionWith), actionField];
  const known = Object.keys(properties);
  const wrong = sent.find((name) => !known.includes(name)) ?? null;
  const missing = required.find((name) => !sent.includes(name)) ?? null;
  if (wrong === null && missing === null) return;
  const what = wrong === null ? `need the member "${missing}"` : `have no member "${wrong}"`;
  throw new UsageError(
    `environment.url ${url}: actions of this server ${what}; they have ${known.join(', ')} (required: ${required.join(', ') || 'none'}). ` +
      'Set environment.actionField and actionWith',
  );
}

async function schemaOf(url: string, seconds: number): Promise<z.infer<typeof SCHEMA> | null> {
  const base = url.replace(/^ws/i, 'http').replace(/\/+$/, '').replace(/\/ws$/, '');
  try {
    const response = await fetch(`${base}/schema`, { signal: AbortSignal.timeout(1000 * Math.min(seconds, 10)) });
    return response.ok ? SCHEMA.parse(await response.json()) : null;
  } catch {
    return null;
  }
}
