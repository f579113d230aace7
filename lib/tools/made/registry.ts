// The kinds of made tasks, one line each.
import type { Family } from './family.ts';
import { fileSystem } from './file-system.ts';
import { math } from './math.ts';
import { message } from './message.ts';
import { posting } from './posting.ts';

export const FAMILIES: readonly Family[] = [fileSystem, math, message, posting];
