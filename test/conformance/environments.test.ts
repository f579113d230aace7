// What every environment must keep. Reads the registry: a new environment is tested the moment it is listed.
import { after } from 'node:test';
import { createEnvironment } from '../../lib/environments/create.ts';
import { ENVIRONMENTS } from '../../lib/environments/registry.ts';
import { byteChat, chatCodec } from '../../lib/text/codec.ts';
import { testEnvironment } from '../support/conformance.ts';
import { surroundings } from '../support/surroundings.ts';

const codec = chatCodec(byteChat());
const around = await surroundings();
after(() => around.close());

for (const [name, { settings }] of Object.entries(ENVIRONMENTS)) {
  testEnvironment(name, createEnvironment(settings.parse({ name, ...around.settings[name] }), codec), settings);
}
