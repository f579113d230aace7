// What a model is told about the functions of the simulated APIs.
import { existsSync } from 'node:fs';
import path from 'node:path';
import { z } from 'zod';
import { UserError } from '../../errors.ts';
import { readRows } from './rows.ts';
import type { ToolTask } from './tasks.ts';

const DOCUMENT = z.looseObject({
  name: z.string(),
  description: z.string(),
  /** As BFCL writes it: a JSON schema in which an object is called dict and a number float. */
  parameters: z.looseObject({
    properties: z.record(z.string(), z.looseObject({})),
    required: z.array(z.string()).default([]),
  }),
});

export type FunctionDocument = z.infer<typeof DOCUMENT>;
/** By class, in the order of the files. */
export type FunctionDocuments = ReadonlyMap<string, readonly FunctionDocument[]>;

const FILES: ReadonlyMap<string, string> = new Map([
  ['GorillaFileSystem', 'gorilla_file_system.json'],
  ['MathAPI', 'math_api.json'],
  ['MessageAPI', 'message_api.json'],
  ['TicketAPI', 'ticket_api.json'],
  ['TradingBot', 'trading_bot.json'],
  ['TravelAPI', 'travel_booking.json'],
  ['TwitterAPI', 'posting_api.json'],
  ['VehicleControlAPI', 'vehicle_control.json'],
]);
const FOLDERS = ['func_doc', 'multi_turn_func_doc'];

/** The documents of the classes whose file is there, from a folder of tasks. Throws a `UserError` that names file and line. */
export function readFunctions(folder: string): FunctionDocuments {
  const name = FOLDERS.find((inner) => existsSync(path.join(folder, inner)));
  if (name === undefined) throw new UserError(`${folder} has no function documents; looked for ${FOLDERS.join(', ')}`);
  const files = Array.from(FILES, ([className, file]) => [className, path.join(folder, name, file)] as const);
  return new Map(
    files
      .filter(([, file]) => existsSync(file))
      .map(([className, file]) => [className, readRows(file, DOCUMENT).map(({ value }) => value)]),
  );
}

/** The functions that the model of a task is told of. */
export function functionsOf(documents: FunctionDocuments, task: ToolTask): FunctionDocument[] {
  return task.classes.flatMap((className) => {
    const functions = documents.get(className);
    if (functions === undefined)
      throw new UserError(
        `${task.id}: no function documents for the class ${className} (${FILES.get(className) ?? 'unknown'})`,
      );
    return functions.filter(({ name }) => !task.excluded.includes(name));
  });
}
