// The few functions a JavaScript program has for its files, the same in Node and in the WebAssembly backend:
//   listFiles()            names in the data folder, sorted, with forward slashes
//   readFile(name)         text of one of them; throws where there is none
//   writeFile(name, text)  writes a file into the working folder
//   print(...values)       a line on standard output

/** What Node loads before the program. */
export const javascriptPrelude = `
const fs = require('node:fs');
const path = require('node:path');
const folder = process.env.DATA_DIR;
globalThis.listFiles = () => {
  if (folder === undefined) return [];
  const files = fs.readdirSync(folder, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
  return files.map((entry) => path.relative(folder, path.join(entry.parentPath ?? entry.path, entry.name))).sort();
};
globalThis.readFile = (name) => {
  if (folder === undefined) throw new Error('there is no data folder');
  return fs.readFileSync(path.join(folder, name), 'utf8');
};
globalThis.writeFile = (name, text) => fs.writeFileSync(path.basename(name), String(text));
globalThis.print = (...values) => console.log(values.join(' '));
`;
