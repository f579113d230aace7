// What tokenizer_config.json (and, in older folders, special_tokens_map.json) says about special tokens.
import { type AddedToken, readAddedToken } from './added-tokens.ts';
import { Fields } from '../fields.ts';
import { LARGEST_ID } from './vocabulary.ts';

export const SPECIAL_TOKEN_ROLES = [
  'bos_token',
  'eos_token',
  'unk_token',
  'pad_token',
  'sep_token',
  'cls_token',
  'mask_token',
] as const;
export type SpecialTokenRole = (typeof SPECIAL_TOKEN_ROLES)[number];

export interface SpecialTokenNames {
  /** Text of the tokens that have a role. */
  readonly roles: ReadonlyMap<SpecialTokenRole, string>;
  /** Text of special tokens without a role. */
  readonly others: readonly string[];
}

/** `configs`: the earlier one wins. */
export function readSpecialTokens(configs: readonly Fields[]): SpecialTokenNames {
  const roles = new Map<SpecialTokenRole, string>();
  const others = new Set<string>();
  for (const config of configs) {
    for (const role of SPECIAL_TOKEN_ROLES) {
      if (config.has(role) && !roles.has(role)) roles.set(role, name(config.get(role), config.at(role)));
    }
    for (const key of ['additional_special_tokens', 'extra_special_tokens']) {
      const value = config.get(key);
      if (value === null) continue;
      const entries = Array.isArray(value) ? value : Object.values(config.object(key)!.all());
      for (const [i, entry] of entries.entries()) others.add(name(entry, `${config.at(key)}[${i}]`));
    }
  }
  return { roles, others: [...others] };
}

/** A token is given as text, or as an object with its text as `content`. */
function name(value: unknown, where: string): string {
  return typeof value === 'string' ? value : new Fields(value, where).string('content');
}

/** Added tokens that tokenizer_config.json has and tokenizer.json may lack. */
export function readAddedTokensDecoder(config: Fields): AddedToken[] {
  const entries = config.object('added_tokens_decoder');
  if (entries === null) return [];
  return entries.keys().map((key) => {
    const id = /^\d{1,8}$/.test(key) ? Number(key) : Number.NaN;
    if (!(id <= LARGEST_ID)) throw entries.error(key, 'is not a token id');
    return readAddedToken(new Fields(entries.get(key), entries.at(key)), id);
  });
}
