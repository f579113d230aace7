// The kinds of made tasks, one line each.
import type { Family } from './family.ts';
import { fileSystem } from './file-system.ts';
import { math } from './math.ts';
import { message } from './message.ts';
import { posting } from './posting.ts';
import { ticket } from './ticket.ts';
import { trading } from './trading.ts';
import { travel } from './travel.ts';
import { vehicle } from './vehicle.ts';

export const FAMILIES: readonly Family[] = [fileSystem, math, message, posting, ticket, trading, travel, vehicle];
