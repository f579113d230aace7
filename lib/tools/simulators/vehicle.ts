// VehicleControlAPI of BFCL: a car.
import { at, atMost, greater, iterate, keyOf, less, minus, over, plus, times, toFloat } from '../python/operations.ts';
import { PythonRandom } from '../python/random.ts';
import { dict, float, type PythonDict, type PythonValue, pythonEqual, toNumber, truthy } from '../python/value.ts';
import type { Clock } from '../simulator.ts';
import { BaseSimulator, error, given, givenDict, givenRandom, refuseLongContext } from './base.ts';
import { distanceBetween, ZIP_CODES } from './vehicle-places.ts';

const SEED = 141053;
/** In gallons. */
const CAPACITY = 50;
const MILES_PER_GALLON = float(20);
/** In newtons. */
const FULL_BRAKE = 1000;
const DOORS = { driver: 'unlocked', passenger: 'unlocked', rear_left: 'unlocked', rear_right: 'unlocked' };

/** Attributes with their defaults; those that begin with _ are not part of the state. */
const ATTRIBUTES: Readonly<Record<string, PythonValue>> = {
  fuelLevel: float(0),
  batteryVoltage: 12.6,
  engine_state: 'stopped',
  acTemperature: float(25),
  fanSpeed: 50,
  acMode: 'auto',
  humidityLevel: float(50),
  headLightStatus: 'off',
  parkingBrakeStatus: 'released',
  _parkingBrakeForce: float(0),
  _slopeAngle: float(0),
  brakePedalStatus: 'released',
  _brakePedalForce: float(0),
  distanceToNextVehicle: float(50),
  cruiseStatus: 'inactive',
  destination: 'None',
  frontLeftTirePressure: float(32),
  frontRightTirePressure: float(32),
  rearLeftTirePressure: float(30),
  rearRightTirePressure: float(30),
};
const configuredAs = (name: string): string => (name === 'engine_state' ? 'engineState' : name.replace('_', ''));

const TIRES = ['frontLeftTirePressure', 'frontRightTirePressure', 'rearLeftTirePressure', 'rearRightTirePressure'];

/** What displayCarStatus shows: the attributes, by the names in its answer. */
const SHOWN: ReadonlyMap<PythonValue, Readonly<Record<string, string>>> = new Map<string, Record<string, string>>([
  ['fuel', { fuelLevel: 'fuelLevel' }],
  ['battery', { batteryVoltage: 'batteryVoltage' }],
  ['doors', { doorStatus: 'doorStatus' }],
  [
    'climate',
    {
      currentACTemperature: 'acTemperature',
      fanSpeed: 'fanSpeed',
      climateMode: 'acMode',
      humidityLevel: 'humidityLevel',
    },
  ],
  ['headlights', { headlightStatus: 'headLightStatus' }],
  [
    'parkingBrake',
    {
      parkingBrakeStatus: 'parkingBrakeStatus',
      parkingBrakeForce: '_parkingBrakeForce',
      slopeAngle: '_slopeAngle',
    },
  ],
  ['brakePedal', { brakePedalStatus: 'brakePedalStatus', brakePedalForce: '_brakePedalForce' }],
  ['engine', { engineState: 'engine_state' }],
]);

export class VehicleApi extends BaseSimulator {
  #random = new PythonRandom(SEED);
  readonly #attributes = new Map<string, PythonValue>();
  #doors: PythonDict = new Map();

  constructor(clock: Clock) {
    super(clock);
    this.#defineDriving();
    this.#defineComfort();
    this.#defineDisplay();
    this.#defineRoute();
  }

  load(config: PythonDict, longContext = false): void {
    refuseLongContext('VehicleControlAPI', longContext);
    this.#random = givenRandom(config, SEED);
    for (const [name, value] of Object.entries(ATTRIBUTES)) {
      this.#attributes.set(name, given(config, configuredAs(name), value));
    }
    this.#doors = givenDict(config, 'doorStatus', dict(DOORS));
    const locked = [...this.#doors.values()].filter((door) => door === 'locked').length;
    this.#set({ doorStatus: this.#doors, remainingUnlockedDoors: 4 - locked });
  }

  state(): PythonDict {
    const shown = [...this.#attributes].filter(([name]) => !name.startsWith('_'));
    return new Map([...shown, ['long_context', false]]);
  }

  #get(name: string): PythonValue {
    return this.#attributes.get(name)!;
  }

  #set(values: Readonly<Record<string, PythonValue>>): void {
    for (const [name, value] of Object.entries(values)) this.#attributes.set(name, value);
  }

  #defineDriving(): void {
    this.define('startEngine(ignitionMode)', (mode) => this.#start(mode!));
    this.define('fillFuelTank(fuelAmount)', (amount) => this.#fill(amount!));
    this.define('activateParkingBrake(mode)', (mode) => {
      if (mode !== 'engage' && mode !== 'release') return error('Invalid mode');
      const brake =
        mode === 'engage'
          ? { parkingBrakeStatus: 'engaged', _parkingBrakeForce: float(500), _slopeAngle: float(10) }
          : { parkingBrakeStatus: 'released', _parkingBrakeForce: float(0), _slopeAngle: float(10) };
      this.#set(brake);
      return dict(brake);
    });
    this.define('pressBrakePedal(pedalPosition)', (position) => this.#press(position!));
    this.define('releaseBrakePedal()', () => this.#release());
    this.define('setCruiseControl(speed, activate, distanceToNextVehicle)', (speed, activate, distance) =>
      this.#cruise(speed!, truthy(activate!), distance!),
    );
    this.define('get_current_speed()', () => dict({ currentSpeed: float(this.#random.uniform(0, 120)) }));
  }

  #defineComfort(): void {
    this.define('lockDoors(unlock, door)', (unlock, doors) => this.#lock(truthy(unlock!), doors!));
    this.define(
      "adjustClimateControl(temperature, unit='celsius', fanSpeed=50, mode='auto')",
      (temperature, unit, fanSpeed, mode) => this.#adjust(temperature!, unit!, fanSpeed!, mode!),
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
  }

  #defineDisplay(): void {
    this.define('displayCarStatus(option)', (option) => {
      const shown = SHOWN.get(option!);
      if (shown === undefined) return error('Invalid option');
      return new Map(Object.entries(shown).map(([as, attribute]) => [as, this.#get(attribute)]));
    });
    this.define('display_log(messages)', (messages) => dict({ log: messages! }));
    this.define('check_tire_pressure()', () => {
      const pressures = TIRES.map((name) => this.#get(name));
      const mean = over(
        pressures.reduce((a, b) => plus(a, b)),
        4,
      );
      const tires = Object.fromEntries(TIRES.map((name, i) => [name, pressures[i]!]));
      return dict({ ...tires, healthy_tire_pressure: atMost(30, mean) && atMost(mean, 35), car_info: new Map() });
    });
    this.define('find_nearest_tire_shop()', () => dict({ shopLocation: '456 Oakwood Avenue, Rivermist, 83214' }));
  }

  #defineRoute(): void {
    this.define('estimate_drive_feasibility_by_mileage(distance)', (distance) =>
      dict({ canDrive: !less(times(this.#get('fuelLevel'), MILES_PER_GALLON), distance!) }),
    );
    this.define('liter_to_gallon(liter)', (liter) => dict({ gallon: times(liter!, 0.264172) }));
    this.define('gallon_to_liter(gallon)', (gallon) => dict({ liter: times(gallon!, 3.78541) }));
    this.define('estimate_distance(cityA, cityB)', (a, b) => {
      const distance = distanceBetween(a!, b!);
      return distance === null ? error('distance not found in database.') : dict({ distance: float(distance) });
    });
    this.define('get_zipcode_based_on_city(city)', (city) => dict({ zipcode: ZIP_CODES.get(city!) ?? '00000' }));
    this.define('set_navigation(destination)', (destination) => {
      this.#set({ destination: destination! });
      return dict({ status: plus('Navigating to ', destination!) });
    });
  }

  #start(mode: PythonValue): PythonValue {
    if (mode === 'STOP') this.#set({ engine_state: 'stopped' });
    if (greater(this.#get('remainingUnlockedDoors'), 0)) {
      const unlocked = [...this.#doors].filter(([, status]) => status === 'unlocked').map(([door]) => door);
      const reason = 'All doors must be locked before starting the engine.';
      return error(`${reason} Here are the unlocked doors: ${unlocked.join(', ')}`);
    }
    if (this.#get('brakePedalStatus') !== 'pressed') {
      return error('Brake pedal needs to be pressed when starting the engine.');
    }
    if (!pythonEqual(this.#get('_brakePedalForce'), FULL_BRAKE)) {
      return error('Must press the brake fully before starting the engine.');
    }
    if (less(this.#get('fuelLevel'), float(0))) return error('Fuel tank is empty.');
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
    const fuelLevel = plus(this.#get('fuelLevel'), amount);
    if (greater(fuelLevel, CAPACITY)) return error('Cannot fill gas above the tank capacity.');
    if (less(fuelLevel, float(0))) return error('Fuel tank is empty. Min fuel level is 0 gallons.');
    this.#set({ fuelLevel });
    return dict({ fuelLevel });
  }

  #press(position: PythonValue): PythonValue {
    if (!(atMost(0, position) && atMost(position, 1))) return error('Pedal position must be between 0 and 1.');
    if (pythonEqual(position, 0)) return this.#release();
    const force = times(position, FULL_BRAKE);
    this.#set({ brakePedalStatus: 'pressed', _brakePedalForce: force });
    return dict({ brakePedalStatus: 'pressed', brakePedalForce: toFloat(force) });
  }

  #release(): PythonValue {
    this.#set({ brakePedalStatus: 'released', _brakePedalForce: float(0) });
    return dict({ brakePedalStatus: 'released', brakePedalForce: float(0) });
  }

  #cruise(givenSpeed: PythonValue, activate: boolean, givenDistance: PythonValue): PythonValue {
    const distanceToNextVehicle = toFloat(givenDistance);
    const speed = toFloat(givenSpeed);
    if (this.#get('engine_state') === 'stopped') {
      return error('Start the engine before activating the cruise control.');
    }
    const cruiseStatus = activate ? 'active' : 'inactive';
    this.#set({ distanceToNextVehicle });
    if (activate && !isCruiseSpeed(toNumber(speed))) return error('Invalid speed');
    this.#set({ cruiseStatus });
    return dict({ cruiseStatus, currentSpeed: speed, distanceToNextVehicle });
  }

  #lock(unlock: boolean, doors: PythonValue): PythonValue {
    const lockStatus = unlock ? 'unlocked' : 'locked';
    for (const door of iterate(doors)) {
      if (at(this.#doors, door) === lockStatus) continue;
      this.#doors.set(keyOf(door)!, lockStatus);
      this.#set({ remainingUnlockedDoors: plus(this.#get('remainingUnlockedDoors'), unlock ? 1 : -1) });
    }
    return dict({ lockStatus, remainingUnlockedDoors: this.#get('remainingUnlockedDoors') });
  }

  #adjust(temperature: PythonValue, unit: PythonValue, fanSpeed: PythonValue, mode: PythonValue): PythonValue {
    if (!(atMost(0, fanSpeed) && atMost(fanSpeed, 100))) return error('Fan speed must be between 0 and 100.');
    this.#set({ acTemperature: temperature });
    if (unit === 'fahrenheit') this.#set({ acTemperature: over(times(minus(temperature, 32), 5), 9) });
    this.#set({ fanSpeed, acMode: mode });
    return dict({ currentACTemperature: temperature, climateMode: mode, humidityLevel: this.#get('humidityLevel') });
  }
}

const isCruiseSpeed = (speed: number): boolean => !(speed < 0 || speed > 120) && speed % 5 === 0;
