// Errands with a car.
import type { Random } from '../../rng.ts';
import { call, documents, type Errand, type Family, say, type Scene } from './family.ts';

const DOORS = ['driver', 'passenger', 'rear_left', 'rear_right'];
const PLACES = [
  '12 Elm Street, Oakendale',
  '3 Harbour Road, Rivermist',
  '77 Hill Lane, Stonebrook',
  '5 Mill Square, Autumnville',
];
const CITIES = ['Rivermist', 'Stonebrook', 'Maplecrest', 'Silverpine', 'Shadowridge', 'Oakendale', 'Willowbend'];
const MODES = ['auto', 'cool', 'heat', 'defrost'];

/** A car that stands. */
class Car implements Scene {
  readonly config: Scene['config'];
  readonly #unlocked: Set<string>;
  #fuel: number;
  #running = false;

  constructor(random: Random) {
    this.#unlocked = new Set(random.shuffled(DOORS).slice(0, random.below(3)));
    this.#fuel = 5 + random.below(20);
    this.config = {
      ...{ fuelLevel: this.#fuel, engineState: 'stopped', random_seed: random.below(1_000_000) },
      doorStatus: Object.fromEntries(DOORS.map((door) => [door, this.#unlocked.has(door) ? 'unlocked' : 'locked'])),
    };
  }

  errand(random: Random): Errand | null {
    switch (random.below(8)) {
      case 0:
        return this.#lock(random);
      case 1: {
        const amount = 1 + random.below(10);
        if (this.#fuel + amount > 50) return null;
        this.#fuel += amount;
        const request = say(random, `Fill in ${amount} gallons of fuel.`, `Add ${amount} gallons to the tank.`);
        return { request, calls: [call('fillFuelTank', { fuelAmount: amount })] };
      }
      case 2:
        return this.#start(random);
      case 3: {
        const mode = random.pick(['on', 'off']);
        return {
          request: say(random, `Headlights ${mode}, please.`, `Switch the headlights ${mode}.`),
          calls: [call('setHeadlights', { mode })],
        };
      }
      case 4: {
        const [temperature, speed, mode] = [16 + random.below(12), 10 * (1 + random.below(9)), random.pick(MODES)];
        const request = `Set the climate to ${temperature} degrees Celsius, fan speed ${speed}, mode ${mode}.`;
        return { request, calls: [call('adjustClimateControl', { temperature, fanSpeed: speed, mode })] };
      }
      case 5: {
        const destination = random.pick(PLACES);
        const request = say(random, `Navigate to ${destination}.`, `Take me to ${destination}.`);
        return { request, calls: [call('set_navigation', { destination })] };
      }
      case 6: {
        const mode = random.pick(['engage', 'release']);
        return {
          request: say(random, `${mode === 'engage' ? 'Engage' : 'Release'} the parking brake.`),
          calls: [call('activateParkingBrake', { mode })],
        };
      }
      default: {
        const city = random.pick(CITIES);
        const questions: readonly Errand[] = [
          { request: 'Are the tires all right?', calls: [call('check_tire_pressure')] },
          { request: `What is the zipcode of ${city}?`, calls: [call('get_zipcode_based_on_city', { city })] },
          { request: 'How much fuel is left?', calls: [call('displayCarStatus', { option: 'fuel' })] },
          { request: 'Where is the nearest tire shop?', calls: [call('find_nearest_tire_shop')] },
        ];
        return random.pick(questions);
      }
    }
  }

  #lock(random: Random): Errand | null {
    const open = DOORS.filter((door) => this.#unlocked.has(door));
    if (open.length > 0 && random.chance(0.6)) {
      this.#unlocked.clear();
      const request = say(
        random,
        `Lock the doors that are open: ${open.join(', ')}.`,
        `Please lock ${open.join(' and ')}.`,
      );
      return { request, calls: [call('lockDoors', { unlock: false, door: open })] };
    }
    const shut = DOORS.filter((door) => !this.#unlocked.has(door));
    if (shut.length === 0) return null;
    const door = random.pick(shut);
    this.#unlocked.add(door);
    return { request: `Unlock the ${door} door.`, calls: [call('lockDoors', { unlock: true, door: [door] })] };
  }

  #start(random: Random): Errand | null {
    if (this.#running || this.#unlocked.size > 0) return null;
    this.#running = true;
    const request = say(
      random,
      'Press the brake pedal fully and start the engine.',
      'Start the car, with the brake pressed all the way.',
    );
    return {
      request,
      calls: [call('pressBrakePedal', { pedalPosition: 1 }), call('startEngine', { ignitionMode: 'START' })],
    };
  }
}

export const vehicle: Family = {
  className: 'VehicleControlAPI',
  scene: (random) => new Car(random),
  documents: documents(`
    startEngine(ignitionMode: str): START or STOP the engine. To start it all doors must be locked and the brake pressed fully.
    fillFuelTank(fuelAmount: float): Add so many gallons; the tank holds 50.
    lockDoors(unlock: bool, door: texts): Lock doors, or unlock them where unlock is true: driver, passenger, rear_left, rear_right.
    adjustClimateControl(temperature: float, unit?: str, fanSpeed?: int, mode?: str): Set the temperature (unit celsius or fahrenheit), the fan from 0 to 100 and the mode: auto, cool, heat, defrost.
    get_outside_temperature_from_google(): The temperature outside.
    get_outside_temperature_from_weather_com(): The temperature outside, from another service.
    setHeadlights(mode: str): The headlights: on, off or auto.
    displayCarStatus(option: str): A part of the car's state: fuel, battery, doors, climate, headlights, parkingBrake, brakePedal, engine.
    activateParkingBrake(mode: str): engage or release the parking brake.
    pressBrakePedal(pedalPosition: float): Press the brake, from 0 to 1, and keep it pressed.
    releaseBrakePedal(): Release the brake.
    setCruiseControl(speed: float, activate: bool, distanceToNextVehicle: float): Cruise at a multiple of 5 up to 120, with a distance in metres.
    get_current_speed(): How fast the car is.
    display_log(messages: texts): Show messages.
    estimate_drive_feasibility_by_mileage(distance: float): Whether the fuel is enough for so many miles.
    liter_to_gallon(liter: float): Litres as gallons.
    gallon_to_liter(gallon: float): Gallons as litres.
    estimate_distance(cityA: str, cityB: str): The distance between two cities, by their zipcodes.
    get_zipcode_based_on_city(city: str): The zipcode of a city.
    set_navigation(destination: str): Navigate to an address: street, city, state.
    check_tire_pressure(): The pressure of the tires, and whether it is healthy.
    find_nearest_tire_shop(): The address of the nearest tire shop.
  `),
};
