// One run of a task: simulators in their initial states, calls made one after the other.
import { UserError } from '../../errors.ts';
import { runCall, runText } from '../dispatch.ts';
import type { Call } from '../python/literal.ts';
import { isDict, type PythonDict, type PythonValue } from '../python/value.ts';
import type { Clock, Simulator } from '../simulator.ts';
import { SIMULATORS } from '../simulators/registry.ts';

const WALL_CLOCK: Clock = { now: () => Date.now() };

export class ToolEpisode {
  readonly instances: ReadonlyMap<string, Simulator>;

  /** `config`: by class, as in a task's initial_config. Every instance gets a copy of its own. */
  constructor(config: PythonDict, classes: readonly string[], clock: Clock = WALL_CLOCK) {
    this.instances = new Map(classes.map((name) => [name, instance(name, config, clock)]));
  }

  /** Runs a call; the result is the text that a model sees. Never throws for what the call says. */
  run(call: string | Call): string {
    return typeof call === 'string' ? runText(this.instances, call) : runCall(this.instances, call);
  }

  /** Every public attribute by class; later calls do not change what was returned. */
  state(): PythonDict {
    return new Map(Array.from(this.instances, ([name, simulator]) => [name, copyOf(simulator.state())]));
  }
}

function instance(name: string, config: PythonDict, clock: Clock): Simulator {
  const type = SIMULATORS.get(name);
  if (type === undefined) {
    throw new UserError(`no simulator of the class ${name}; there are: ${[...SIMULATORS.keys()].join(', ')}`);
  }
  const simulator = new type(clock);
  const own = config.get(name);
  simulator.load(own !== undefined && isDict(own) ? (copyOf(own) as PythonDict) : new Map());
  return simulator;
}

function copyOf(value: PythonValue): PythonValue {
  if (Array.isArray(value)) return value.map(copyOf);
  return isDict(value) ? new Map(Array.from(value, ([key, member]) => [key, copyOf(member)])) : value;
}
