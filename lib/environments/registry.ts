// Every environment, by name. One line each; configuration, help and conformance tests read this list.
import { clerk } from './clerk.ts';
import { codebreak } from './codebreak.ts';
import { colour } from './colour.ts';
import { garble } from './garble.ts';
import { math } from './math.ts';
import { mcp } from './mcp.ts';
import { mlEngineering } from './ml-engineering.ts';
import { openenv } from './openenv.ts';
import { sort } from './sort.ts';
import { toolUse } from './tool-use.ts';
import { tune } from './tune.ts';

export const ENVIRONMENTS = {
  codebreak,
  sort,
  tune,
  colour,
  clerk,
  garble,
  math,
  mcp,
  ml_engineering: mlEngineering,
  openenv,
  tool_use: toolUse,
};

export type EnvironmentName = keyof typeof ENVIRONMENTS;
