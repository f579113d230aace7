// Every environment, by name. One line each; configuration, help and conformance tests read this list.
import { codebreak } from './codebreak.ts';

export const ENVIRONMENTS = {
  codebreak,
};

export type EnvironmentName = keyof typeof ENVIRONMENTS;
