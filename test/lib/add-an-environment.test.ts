// docs/add-an-environment.md is right: its example compiles and keeps what every environment must keep, and nothing that an
// environment may have is left out.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { after, test } from 'node:test';
import { pathToFileURL } from 'node:url';
import { packageRoot } from '../../lib/config/root.ts';
import type { EnvironmentType } from '../../lib/environments/environment.ts';
import { byteChat, chatCodec } from '../../lib/text/codec.ts';
import { testEnvironment } from '../support/conformance.ts';

const ROOT = packageRoot();
const GUIDE = readFileSync(join(ROOT, 'docs', 'add-an-environment.md'), 'utf8');

/** Where modules find the packages, and nobody looks. */
const folder = mkdtempSync(join(ROOT, 'dist', 'guide-'));
after(() => rmSync(folder, { recursive: true, force: true }));

/** The example, compiled as the rest is. */
async function example(): Promise<Record<string, unknown>> {
  const [, code] = /```ts\n\/\/ lib\/environments\/reverse\.ts\n([\s\S]*?)```/.exec(GUIDE)!;
  const moved = code!
    .replaceAll("from '../", "from '../../lib/")
    .replaceAll("from './", "from '../../lib/environments/");
  writeFileSync(join(folder, 'reverse.ts'), moved);
  const options = { rootDir: ROOT, outDir: join(folder, 'out'), declaration: false, declarationMap: false };
  const project = {
    extends: join(ROOT, 'tsconfig.json'),
    compilerOptions: options,
    include: [],
    files: ['reverse.ts'],
  };
  writeFileSync(join(folder, 'tsconfig.json'), JSON.stringify(project));
  const compiler = join(ROOT, 'node_modules', 'typescript', 'bin', 'tsc');
  const { status, stdout } = spawnSync(process.execPath, [compiler, '-p', folder], { encoding: 'utf8' });
  assert.equal(status, 0, stdout);
  const compiled = join(folder, 'out', 'dist', basename(folder), 'reverse.js');
  return (await import(pathToFileURL(compiled).href)) as Record<string, unknown>;
}

const reverse = (await example())['reverse'] as EnvironmentType<unknown>;
const codec = chatCodec(byteChat());
testEnvironment('reverse', reverse.create(reverse.settings.parse({ name: 'reverse' }), codec), reverse.settings);

/** Members of an interface, by the text of its file. */
function membersOf(file: string, name: string): string[] {
  const text = readFileSync(join(ROOT, 'lib', 'environments', file), 'utf8');
  const [, body] = new RegExp(`export interface ${name}<.*?> \\{\\n([\\s\\S]*?)\\n\\}`).exec(text)!;
  return Array.from(body!.matchAll(/^ {2}(?:readonly )?(\w+)\??[:(]/gm), ([, member]) => member!);
}

test('the guide names every member of an environment and of tasks in words', () => {
  const members = [
    ...membersOf('environment.ts', 'Environment'),
    ...membersOf('text/text-environment.ts', 'TextTasks'),
  ];
  assert.ok(members.includes('prepare') && members.includes('stops') && members.length > 25);
  for (const member of members) assert.match(GUIDE, new RegExp(`\`${member}[\`(]`), member);
});
