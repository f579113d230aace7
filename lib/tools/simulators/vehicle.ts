// VehicleControlAPI of BFCL: a car.
import { UserError } from '../../errors.ts';
import { at, atMost, greater, iterate, keyOf, less, minus, over, plus, times, toFloat } from '../python/operations.ts';
import { PythonRandom } from '../python/random.ts';
import {
  dict,
  float,
  type PythonDict,
  type PythonNumber,
  type PythonValue,
  pythonEqual,
  toNumber,
  truthy,
} from '../python/value.ts';
import type { Clock } from '../simulator.ts';
import { BaseSimulator, error, given, givenDict, givenRandom } from './base.ts';

const CAPACITY = 50;
const MILES_PER_GALLON = float(20);
const DOORS = { driver: 'unlocked', passenger: 'unlocked', rear_left: 'unlocked', rear_right: 'unlocked' };

/** Public attributes with their defaults, and the names they have in configurations where those differ. */
const ATTRIBUTES: readonly (readonly [name: string, otherwise: PythonValue, configured?: string])[] = [
  ...([
    ['fuelLevel', float(0)],
    ['batteryVoltage', 12.6],
    ['engine_state', 'stopped', 'engineState'],
  ] as const),
  ...([
    ['remainingUnlockedDoors', 4],
    ['doorStatus', null], // set below
    ['acTemperature', float(25)],
    ['fanSpeed', 50],
  ] as const),
  ...([
    ['acMode', 'auto'],
    ['humidityLevel', float(50)],
    ['headLightStatus', 'off'],
    ['parkingBrakeStatus', 'released'],
  ] as const),
  ...([
    ['_parkingBrakeForce', float(0), 'parkingBrakeForce'],
    ['_slopeAngle', float(0), 'slopeAngle'],
  ] as const),
  ...([
    ['brakePedalStatus', 'released'],
    ['_brakePedalForce', float(0), 'brakePedalForce'],
  ] as const),
  ...([
    ['distanceToNextVehicle', float(50)],
    ['cruiseStatus', 'inactive'],
    ['destination', 'None'],
  ] as const),
  ...([
    ['frontLeftTirePressure', float(32)],
    ['frontRightTirePressure', float(32)],
  ] as const),
  ...([
    ['rearLeftTirePressure', float(30)],
    ['rearRightTirePressure', float(30)],
  ] as const),
];

const DISTANCES: Readonly<Record<string, number>> = {
  ...{
    '74532-83214': 750,
    '56108-62947': 320,
    '71354-83462': 450,
    '47329-52013': 290,
    '51479-69238': 630,
    '83214-94016': 980,
  },
  ...{
    '94016-94704': 600,
    '08540-94704': 2550,
    '08540-94016': 1950,
    '47329-62947': 1053,
    '62947-94016': 780,
    '74532-94016': 880,
  },
};

const ZIPCODES: ReadonlyMap<PythonValue, string> = new Map([
  ...([
    ['Rivermist', '83214'],
    ['Stonebrook', '74532'],
    ['Maplecrest', '56108'],
    ['Silverpine', '62947'],
  ] as const),
  ...([
    ['Shadowridge', '71354'],
    ['Sunset Valley', '83462'],
    ['Oakendale', '47329'],
    ['Willowbend', '52013'],
  ] as const),
  ...([
    ['Crescent Hollow', '69238'],
    ['Autumnville', '51479'],
    ['San Francisco', '94016'],
  ] as const),
]);

export class VehicleApi extends BaseSimulator {
  readonly #is = new Map<string, PythonValue>();
  #random = new PythonRandom(0);

  #get(name: string): PythonValue {
    return this.#is.get(name)!;
  }
  #set(values: Readonly<Record<string, PythonValue>>): void {
    for (const [name, value] of Object.entries(values)) this.#is.set(name, value);
  }

  constructor(clock: Clock) {
    super(clock);
    this.#defineDriving();
    this.#defineComfort();
    this.#defineRoute();
  }

  load(config: PythonDict, longContext = false): void {
    if (longContext) throw new UserError('VehicleControlAPI has no fillers for long contexts here');
    this.#random = givenRandom(config, 141053);
    for (const [name, otherwise, configured] of ATTRIBUTES)
      this.#is.set(name, given(config, configured ?? name, otherwise));
    this.#is.set('doorStatus', givenDict(config, 'doorStatus', dict(DOORS)));
    const doors = this.#get('doorStatus') as PythonDict;
    this.#is.set('remainingUnlockedDoors', 4 - [...doors.values()].filter((door) => door === 'locked').length);
  }

  state(): PythonDict {
    const shown = [...this.#is].filter(([name]) => !name.startsWith('_'));
    return new Map([...shown, ['long_context', false]]);
  }

  #defineDriving(): void {
    this.define('startEngine(ignitionMode)', (mode) => this.#start(mode!));
    this.define('fillFuelTank(fuelAmount)', (amount) => this.#fill(amount!));
    this.define('activateParkingBrake(mode)', (mode) => {
      if (mode !== 'engage' && mode !== 'release') return error('Invalid mode');
      const [parkingBrakeStatus, _parkingBrakeForce] =
        mode === 'engage' ? ['engaged', float(500)] : ['released', float(0)];
      const now = {
        parkingBrakeStatus: parkingBrakeStatus as string,
        _parkingBrakeForce: _parkingBrakeForce!,
        _slopeAngle: float(10),
      };
      this.#set(now);
      return dict(now);
    });
    this.define('pressBrakePedal(pedalPosition)', (position) => {
      if (!(atMost(0, position!) && atMost(position!, 1))) return error('Pedal position must be between 0 and 1.');
      if (pythonEqual(position!, 0)) return this.#releasePedal();
      const force = times(position!, 1000);
      this.#set({ brakePedalStatus: 'pressed', _brakePedalForce: force });
      return dict({ brakePedalStatus: 'pressed', brakePedalForce: toFloat(force) });
    });
    this.define('releaseBrakePedal()', () => this.#releasePedal());
    this.define('setCruiseControl(speed, activate, distanceToNextVehicle)', (speed, activate, distance) =>
      this.#cruise(speed!, activate!, distance!),
    );
    this.define('get_current_speed()', () => dict({ currentSpeed: float(this.#random.uniform(0, 120)) }));
  }

  #defineComfort(): void {
    this.define('lockDoors(unlock, door)', (unlock, doors) => this.#lock(truthy(unlock!), doors!));
    this.define(
      "adjustClimateControl(temperature, unit='celsius', fanSpeed=50, mode='auto')",
      (temperature, unit, fanSpeed, mode) => {
        if (!(atMost(0, fanSpeed!) && atMost(fanSpeed!, 100))) return error('Fan speed must be between 0 and 100.');
        this.#set({ acTemperature: temperature! });
        if (unit === 'fahrenheit') this.#set({ acTemperature: over(times(minus(temperature!, 32), 5), 9) });
        this.#set({ fanSpeed: fanSpeed!, acMode: mode! });
        return dict({
          currentACTemperature: temperature!,
          climateMode: mode!,
          humidityLevel: this.#get('humidityLevel'),
        });
      },
    );
    this.define('get_outside_temperature_from_google()', () =>
      dict({ outsideTemperature: float(this.#random.uniform(-10, 40)) }),
    );
    this.define('get_outside_temperature_from_weather_com()', () => dict({ error: 404 }));
    this.define('setHeadlights(mode)', (mode) => {
      if (mode !== 'on' && mode !== 'off' && mode !== 'auto') return error('Invalid headlight mode.');
      const status = mode === 'on' ? 'on' : 'off';
      this.#set({ headLightStatus: status });
      return dict({ headlightStatus: status });
    });
    this.define('displayCarStatus(option)', (option) => this.#show(option!));
    this.define('display_log(messages)', (messages) => dict({ log: messages! }));
    this.define('check_tire_pressure()', () => this.#tires());
    this.define('find_nearest_tire_shop()', () => dict({ shopLocation: '456 Oakwood Avenue, Rivermist, 83214' }));
  }

  #defineRoute(): void {
    this.define('estimate_drive_feasibility_by_mileage(distance)', (distance) =>
      dict({ canDrive: !less(times(this.#get('fuelLevel'), MILES_PER_GALLON), distance!) }),
    );
    this.define('liter_to_gallon(liter)', (liter) => dict({ gallon: scaled(liter!, 0.264172) }));
    this.define('gallon_to_liter(gallon)', (gallon) => dict({ liter: scaled(gallon!, 3.78541) }));
    this.define('estimate_distance(cityA, cityB)', (a, b) => {
      const known =
        typeof a === 'string' && typeof b === 'string' && a !== b ? DISTANCES[[a, b].sort().join('-')] : undefined;
      return known === undefined ? error('distance not found in database.') : dict({ distance: float(known) });
    });
    this.define('get_zipcode_based_on_city(city)', (city) => dict({ zipcode: ZIPCODES.get(city!) ?? '00000' }));
    this.define('set_navigation(destination)', (destination) => {
      this.#set({ destination: destination! });
      return dict({ status: plus('Navigating to ', destination!) });
    });
  }

  #start(mode: PythonValue): PythonValue {
    if (mode === 'STOP') this.#set({ engine_state: 'stopped' });
    if (greater(this.#get('remainingUnlockedDoors'), 0)) {
      const open = [...(this.#get('doorStatus') as PythonDict)]
        .filter(([, status]) => status === 'unlocked')
        .map(([door]) => door);
      return error(
        `All doors must be locked before starting the engine. Here are the unlocked doors: ${open.join(', ')}`,
      );
    }
    if (this.#get('brakePedalStatus') !== 'pressed')
      return error('Brake pedal needs to be pressed when starting the engine.');
    if (!pythonEqual(this.#get('_brakePedalForce'), 1000))
      return error('Must press the brake fully before starting the engine.');
    if (less(this.#get('fuelLevel'), 0)) return error('Fuel tank is empty.');
    if (mode !== 'START') return error('Invalid ignition mode.');
    this.#set({ engine_state: 'running' });
    return dict({
      engineState: 'running',
      fuelLevel: this.#get('fuelLevel'),
      batteryVoltage: this.#get('batteryVoltage'),
    });
  }

  #fill(amount: PythonValue): PythonValue {
    if (less(amount, 0)) return error('Fuel amount cannot be negative.');
    const level = plus(this.#get('fuelLevel'), amount);
    if (greater(level, CAPACITY)) return error('Cannot fill gas above the tank capacity.');
    if (less(level, 0)) return error('Fuel tank is empty. Min fuel level is 0 gallons.');
    this.#set({ fuelLevel: level });
    return dict({ fuelLevel: level });
  }

  #lock(unlock: boolean, doors: PythonValue): PythonValue {
    const status = unlock ? 'unlocked' : 'locked';
    const known = this.#get('doorStatus') as PythonDict;
    for (const door of iterate(doors)) {
      const key = keyOf(door) ?? 'None';
      if (at(known, key) === status) continue;
      known.set(key, status);
      this.#set({ remainingUnlockedDoors: plus(this.#get('remainingUnlockedDoors'), unlock ? 1 : -1) });
    }
    return dict({ lockStatus: status, remainingUnlockedDoors: this.#get('remainingUnlockedDoors') });
  }

  #releasePedal(): PythonValue {
    this.#set({ brakePedalStatus: 'released', _brakePedalForce: float(0) });
    return dict({ brakePedalStatus: 'released', brakePedalForce: float(0) });
  }

  #cruise(given: PythonValue, activate: PythonValue, ahead: PythonValue): PythonValue {
    const distance = toFloat(ahead);
    const speed = toFloat(given);
    if (this.#get('engine_state') === 'stopped') return error('Start the engine before activating the cruise control.');
    const status = truthy(activate) ? 'active' : 'inactive';
    if (status === 'active') {
      this.#set({ distanceToNextVehicle: distance });
      if (less(speed, 0) || greater(speed, 120) || toNumber(speed as PythonNumber) % 5 !== 0)
        return error('Invalid speed');
      this.#set({ cruiseStatus: status });
    } else {
      this.#set({ cruiseStatus: status });
      this.#set({ distanceToNextVehicle: distance });
    }
    return dict({ cruiseStatus: status, currentSpeed: speed, distanceToNextVehicle: distance });
  }

  #show(option: PythonValue): PythonValue {
    const shown: Readonly<Record<string, readonly (readonly [as: string, attribute: string])[]>> = {
      fuel: [['fuelLevel', 'fuelLevel']],
      battery: [['batteryVoltage', 'batteryVoltage']],
      doors: [['doorStatus', 'doorStatus']],
      climate: [
        ['currentACTemperature', 'acTemperature'],
        ['fanSpeed', 'fanSpeed'],
        ['climateMode', 'acMode'],
        ['humidityLevel', 'humidityLevel'],
      ],
      headlights: [['headlightStatus', 'headLightStatus']],
      parkingBrake: [
        ['parkingBrakeStatus', 'parkingBrakeStatus'],
        ['parkingBrakeForce', '_parkingBrakeForce'],
        ['slopeAngle', '_slopeAngle'],
      ],
      brakePedal: [
        ['brakePedalStatus', 'brakePedalStatus'],
        ['brakePedalForce', '_brakePedalForce'],
      ],
      engine: [['engineState', 'engine_state']],
    };
    const attributes = typeof option === 'string' && Object.hasOwn(shown, option) ? shown[option]! : null;
    if (attributes === null) return error('Invalid option');
    return dict(Object.fromEntries(attributes.map(([as, attribute]) => [as, this.#get(attribute)])));
  }

  #tires(): PythonValue {
    const names = ['frontLeftTirePressure', 'frontRightTirePressure', 'rearLeftTirePressure', 'rearRightTirePressure'];
    const mean = over(
      names.map((name) => this.#get(name)).reduce((a, b) => plus(a, b)),
      4,
    );
    const values = Object.fromEntries(names.map((name) => [name, this.#get(name)]));
    return dict({ ...values, healthy_tire_pressure: atMost(30, mean) && atMost(mean, 35), car_info: new Map() });
  }
}

/** x * a float: texts and lists cannot be multiplied by one. */
const scaled = (x: PythonValue, factor: number): PythonValue => times(x, factor);
