// The simulated APIs by the names of their classes in BFCL, one line each.
import type { SimulatorType } from '../simulator.ts';
import { FileSystem } from './file-system.ts';
import { MathApi } from './math.ts';
import { MessageApi } from './message.ts';
import { PostingApi } from './posting.ts';
import { TicketApi } from './ticket.ts';
import { TradingBot } from './trading.ts';
import { TravelApi } from './travel.ts';
import { VehicleApi } from './vehicle.ts';

export const SIMULATORS: ReadonlyMap<string, SimulatorType> = new Map<string, SimulatorType>([
  ['GorillaFileSystem', FileSystem],
  ['MathAPI', MathApi],
  ['MessageAPI', MessageApi],
  ['TwitterAPI', PostingApi],
  ['TicketAPI', TicketApi],
  ['TradingBot', TradingBot],
  ['TravelAPI', TravelApi],
  ['VehicleControlAPI', VehicleApi],
]);
