// The addon as the tests see it: one import, so that only this file knows where it is loaded.
export { addon } from '../../lib/native/load.ts';
