// The car. The results are those of Python.
import { test } from 'node:test';
import { play } from '../../support/tools.ts';

test('VehicleControlAPI: starting and driving', () => {
  const doors = { driver: 'unlocked', passenger: 'locked', rear_left: 'unlocked', rear_right: 'locked' };
  play('VehicleControlAPI', { doorStatus: doors, fuelLevel: 5 }, [
    [
      "startEngine('START')",
      '{"error": "All doors must be locked before starting the engine. Here are the unlocked doors: driver, rear_left"}',
    ],
    ["lockDoors(False, ['driver', 'trunk'])", "Error during execution: 'trunk'"],
    ["lockDoors(unlock=False, door=['driver', 'rear_left'])", '{"lockStatus": "locked", "remainingUnlockedDoors": 0}'],
    ["lockDoors(True, ['rear_right'])", '{"lockStatus": "unlocked", "remainingUnlockedDoors": 1}'],
    ["lockDoors(False, ['rear_right'])", '{"lockStatus": "locked", "remainingUnlockedDoors": 0}'],
    ["startEngine('START')", '{"error": "Brake pedal needs to be pressed when starting the engine."}'],
    ['pressBrakePedal(0.5)', '{"brakePedalStatus": "pressed", "brakePedalForce": 500.0}'],
    ["startEngine('START')", '{"error": "Must press the brake fully before starting the engine."}'],
    ['pressBrakePedal(1.5)', '{"error": "Pedal position must be between 0 and 1."}'],
    ["pressBrakePedal('1')", "Error during execution: '<=' not supported between instances of 'int' and 'str'"],
    ['pressBrakePedal(1)', '{"brakePedalStatus": "pressed", "brakePedalForce": 1000.0}'],
    ["displayCarStatus('brakePedal')", '{"brakePedalStatus": "pressed", "brakePedalForce": 1000}'],
    ["startEngine('GO')", '{"error": "Invalid ignition mode."}'],
    ['setCruiseControl(60, True, 10)', '{"error": "Start the engine before activating the cruise control."}'],
    ["startEngine('START')", '{"engineState": "running", "fuelLevel": 5, "batteryVoltage": 12.6}'],
    ['pressBrakePedal(0)', '{"brakePedalStatus": "released", "brakePedalForce": 0.0}'],
    ['setCruiseControl(62, True, 10)', '{"error": "Invalid speed"}'],
    ["setCruiseControl('fast', True, 10)", "Error during execution: could not convert string to float: 'fast'"],
    [
      'setCruiseControl(60, True, 10)',
      '{"cruiseStatus": "active", "currentSpeed": 60.0, "distanceToNextVehicle": 10.0}',
    ],
    [
      'setCruiseControl(62, False, 7.5)',
      '{"cruiseStatus": "inactive", "currentSpeed": 62.0, "distanceToNextVehicle": 7.5}',
    ],
    ["startEngine('STOP')", '{"error": "Brake pedal needs to be pressed when starting the engine."}'],
    ["displayCarStatus('engine')", '{"engineState": "stopped"}'],
  ]);
});

test('VehicleControlAPI: comfort', () => {
  play('VehicleControlAPI', {}, [
    ['adjustClimateControl(20, fanSpeed=101)', '{"error": "Fan speed must be between 0 and 100."}'],
    [
      "adjustClimateControl(70, 'fahrenheit', 30, 'cool')",
      '{"currentACTemperature": 70, "climateMode": "cool", "humidityLevel": 50.0}',
    ],
    [
      "displayCarStatus('climate')",
      '{"currentACTemperature": 21.11111111111111, "fanSpeed": 30, "climateMode": "cool", "humidityLevel": 50.0}',
    ],
    ["setHeadlights('auto')", '{"headlightStatus": "off"}'],
    ["setHeadlights('on')", '{"headlightStatus": "on"}'],
    ["setHeadlights('dim')", '{"error": "Invalid headlight mode."}'],
    [
      "activateParkingBrake('engage')",
      '{"parkingBrakeStatus": "engaged", "_parkingBrakeForce": 500.0, "_slopeAngle": 10.0}',
    ],
    [
      "displayCarStatus('parkingBrake')",
      '{"parkingBrakeStatus": "engaged", "parkingBrakeForce": 500.0, "slopeAngle": 10.0}',
    ],
    ["activateParkingBrake('pull')", '{"error": "Invalid mode"}'],
    ["displayCarStatus('radio')", '{"error": "Invalid option"}'],
    ['get_outside_temperature_from_weather_com()', '{"error": 404}'],
    ['get_current_speed()', '{"currentSpeed": 111.92365689097284}'],
    ['get_outside_temperature_from_google()', '{"outsideTemperature": 31.29968928699752}'],
    ["display_log(['a', None])", '{"log": ["a", null]}'],
    ['find_nearest_tire_shop()', '{"shopLocation": "456 Oakwood Avenue, Rivermist, 83214"}'],
    [
      'check_tire_pressure()',
      '{"frontLeftTirePressure": 32.0, "frontRightTirePressure": 32.0, "rearLeftTirePressure": 30.0, ' +
        '"rearRightTirePressure": 30.0, "healthy_tire_pressure": true, "car_info": {}}',
    ],
  ]);
});

test('VehicleControlAPI: fuel and routes', () => {
  play('VehicleControlAPI', { fuelLevel: 10 }, [
    ['fillFuelTank(-1)', '{"error": "Fuel amount cannot be negative."}'],
    ['fillFuelTank(40.5)', '{"error": "Cannot fill gas above the tank capacity."}'],
    ['fillFuelTank(40)', '{"fuelLevel": 50}'],
    ["fillFuelTank('1')", "Error during execution: '<' not supported between instances of 'str' and 'int'"],
    ['estimate_drive_feasibility_by_mileage(1000)', '{"canDrive": true}'],
    ['estimate_drive_feasibility_by_mileage(1000.5)', '{"canDrive": false}'],
    ['liter_to_gallon(10)', '{"gallon": 2.6417200000000003}'],
    ['gallon_to_liter(10)', '{"liter": 37.8541}'],
    ["gallon_to_liter('1')", "Error during execution: can't multiply sequence by non-int of type 'float'"],
    ["get_zipcode_based_on_city('Rivermist')", '{"zipcode": "83214"}'],
    ["get_zipcode_based_on_city('Atlantis')", '{"zipcode": "00000"}'],
    ["estimate_distance('74532', '83214')", '{"distance": 750.0}'],
    ["estimate_distance('83214', '74532')", '{"distance": 750.0}'],
    ["estimate_distance('83214', '83214')", '{"error": "distance not found in database."}'],
    ["set_navigation('2107 Channing Way')", '{"status": "Navigating to 2107 Channing Way"}'],
    ['set_navigation(5)', 'Error during execution: can only concatenate str (not "int") to str'],
  ]);
});
