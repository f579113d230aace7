// The bubblewrap command line: what a program can see and do.
import { type Interpreter, PRELUDE } from './interpreters.ts';
import type { Limits } from './types.ts';

/** Nobody: the user programs run as, inside, and outside too where we are root. */
export const NOBODY = 65534;
/** The one writable folder, in memory. */
export const WORK = '/job';
export const DATA = '/data';
export const PROGRAM = '/program';

/** File descriptors of bwrap (one digit: more is not portable in sh) in the order of `Launch.inputs` and, behind them, `Launch.outputs`. */
export const DESCRIPTORS = {
  options: 3,
  source: 4,
  prelude: 5,
  seccomp: 6,
  info: 7,
  control: 8,
  files: 9,
} as const;

const DEVICES = ['null', 'zero', 'full', 'random', 'urandom'];
const MERGED = ['bin', 'sbin', 'lib', 'lib32', 'lib64', 'libx32'];

/** Options of bwrap. Paths of the host go through a pipe, not the command line, which the program could read in /proc. */
export function bubblewrapOptions(interpreter: Interpreter, data: string | null, limits: Limits): string[] {
  const { source, prelude, seccomp, info } = DESCRIPTORS;
  const sized = (bytes: number, path: string): string[] => ['--size', String(bytes), '--tmpfs', path];
  return [
    // Everything unshared, the network too, and no further user namespace: new mounts would need one.
    ...['--unshare-all', '--unshare-user', '--disable-userns', '--die-with-parent', '--new-session', '--clearenv'],
    ...['--uid', String(NOBODY), '--gid', String(NOBODY), '--cap-drop', 'ALL', '--hostname', 'sandbox'],
    ...['--seccomp', String(seccomp), '--info-fd', String(info)],
    ...['--ro-bind', '/usr', '/usr'],
    ...MERGED.flatMap((name) => ['--ro-bind-try', `/${name}`, `/${name}`]),
    // Where the dynamic loader finds libraries, and Debian's choice of BLAS.
    ...['/etc/ld.so.cache', '/etc/alternatives'].flatMap((path) => ['--ro-bind-try', path, path]),
    ...interpreter.folders.flatMap((path) => ['--ro-bind', path, path]),
    // root inside a container may be root outside: core_pattern and the like must not be writable.
    ...['--proc', '/proc', '--ro-bind', '/proc/sys', '/proc/sys'],
    ...sized(4096, '/dev'),
    ...DEVICES.flatMap((name) => ['--dev-bind', `/dev/${name}`, `/dev/${name}`]),
    ...['--symlink', WORK, '/dev/shm', '--symlink', '/proc/self/fd', '/dev/fd', '--remount-ro', '/dev'],
    ...(data === null ? [] : ['--ro-bind', data, DATA]),
    ...['--ro-bind-data', String(source), `${PROGRAM}/${interpreter.file}`],
    ...['--ro-bind-data', String(prelude), `${PROGRAM}/${PRELUDE}`],
    // TMPDIR says where to write; programs that do not look write to /tmp.
    ...(interpreter.folders.some((folder) => folder.startsWith('/tmp/')) ? [] : ['--symlink', WORK, '/tmp']),
    ...[...sized(limits.diskBytes, WORK), '--remount-ro', '/', '--chdir', WORK],
    ...Object.entries(environment(data)).flatMap(([name, value]) => ['--setenv', name, value]),
  ];
}

/** All that is in the environment of a program. */
function environment(data: string | null): Record<string, string> {
  return {
    PATH: '/usr/local/bin:/usr/bin:/bin',
    HOME: WORK,
    TMPDIR: WORK,
    LANG: 'C.UTF-8',
    // One thread each: numerical libraries would start one per core of the host.
    OMP_NUM_THREADS: '1',
    OPENBLAS_NUM_THREADS: '1',
    MKL_NUM_THREADS: '1',
    ...(data === null ? {} : { DATA_DIR: DATA }),
  };
}

/** What runs inside: limits, then a script that starts the program, reports its exit and hands over its files. */
export function insideCommand(interpreter: Interpreter, limits: Limits, collect: readonly string[]): string[] {
  const cpu = Math.ceil(limits.cpuSeconds);
  const memory = limits.memoryBytes;
  return [
    'prlimit',
    ...(interpreter.addressSpace ? [`--as=${memory}`] : []),
    ...[`--data=${memory}`, `--cpu=${cpu}:${cpu + 1}`, `--nproc=${limits.processes}`, `--fsize=${limits.fileBytes}`],
    ...[`--nofile=${limits.openFiles}`, '--core=0', '--', '/bin/sh', '-c', script(limits, collect), 'sandbox'],
    ...interpreter.command(PROGRAM, limits),
  ];
}

/**
 * Each collected file is one line that says what it is (`FileLine`), behind `file N` its N bytes. Symbolic links are not
 * followed; they would end inside the sandbox anyway.
 */
function script(limits: Limits, collect: readonly string[]): string {
  const { control, files } = DESCRIPTORS;
  const handOver = collect.map(
    (name) =>
      `if [ -L ${name} ]; then echo link; elif [ ! -e ${name} ]; then echo none; elif [ ! -f ${name} ]; then echo other; ` +
      `else size=$(wc -c <${name}); if [ "$size" -gt ${limits.collectBytes} ]; then echo large; ` +
      `else echo "file $size"; head -c "$size" ${name}; fi; fi`,
  );
  return [
    `echo started >&${control}`,
    // Standard input is empty, and the program does not inherit the descriptors of this script.
    `"$@" </dev/null ${control}>&- ${files}>&-`,
    `echo "exit $?" >&${control}`,
    `exec >&${files}`,
    ...handOver,
  ].join('\n');
}
