// A system call filter: calls that hold memory no limit sees (memfd, System V shared memory), touch other processes, or
// open parts of the kernel that a program of ours has no use for.
import { arch } from 'node:os';

/** Numbers on x86-64 and on aarch64 (the kernel's generic table). */
const REFUSED: Readonly<Record<string, readonly [number, number]>> = {
  memfd_create: [319, 279],
  memfd_secret: [447, 447],
  shmget: [29, 194],
  msgget: [68, 186],
  semget: [64, 190],
  mq_open: [240, 180],
  ptrace: [101, 117],
  process_vm_readv: [310, 270],
  process_vm_writev: [311, 271],
  pidfd_getfd: [438, 438],
  userfaultfd: [323, 282],
  io_uring_setup: [425, 425],
  bpf: [321, 280],
  perf_event_open: [298, 241],
  add_key: [248, 217],
  request_key: [249, 218],
  keyctl: [250, 219],
  mount: [165, 40],
  umount2: [166, 39],
  move_mount: [429, 429],
  open_tree: [428, 428],
  fsopen: [430, 430],
  pivot_root: [155, 41],
  unshare: [272, 97],
  setns: [308, 268],
  open_by_handle_at: [304, 265],
  quotactl: [179, 60],
  personality: [135, 92],
  syslog: [103, 116],
  kexec_load: [246, 104],
  init_module: [175, 105],
  finit_module: [313, 273],
};

const AUDIT_ARCH = { x64: 0xc000003e, arm64: 0xc00000b7 } as const;
const ALLOW = 0x7fff0000;
const KILL = 0x80000000;
const ERRNO_EPERM = 0x00050001;
const LOAD = 0x20; // BPF_LD | BPF_W | BPF_ABS
const EQUAL = 0x15; // BPF_JMP | BPF_JEQ | BPF_K
const AT_LEAST = 0x35; // BPF_JMP | BPF_JGE | BPF_K
const RETURN = 0x06;
/** From here on numbers are those of the x32 ABI, which would go around the table. */
const X32 = 0x40000000;

type Instruction = readonly [code: number, ifTrue: number, ifFalse: number, value: number];

/** The filter as bwrap's --seccomp takes it: an array of struct sock_filter. Null on other processors. */
export function seccompFilter(processor: string = arch()): Buffer | null {
  if (processor !== 'x64' && processor !== 'arm64') return null;
  const numbers = Object.values(REFUSED).map(([x64, arm64]) => (processor === 'x64' ? x64 : arm64));
  const refuse = (left: number): number => left + 1;
  const program: Instruction[] = [
    [LOAD, 0, 0, 4],
    [EQUAL, 1, 0, AUDIT_ARCH[processor]],
    [RETURN, 0, 0, KILL],
    [LOAD, 0, 0, 0],
    [AT_LEAST, refuse(numbers.length), 0, X32],
    ...numbers.map((number, i): Instruction => [EQUAL, refuse(numbers.length - 1 - i), 0, number]),
    [RETURN, 0, 0, ALLOW],
    [RETURN, 0, 0, ERRNO_EPERM],
  ];
  const bytes = Buffer.alloc(8 * program.length);
  for (const [i, [code, ifTrue, ifFalse, value]] of program.entries()) {
    bytes.writeUInt16LE(code, 8 * i);
    bytes.writeUInt8(ifTrue, 8 * i + 2);
    bytes.writeUInt8(ifFalse, 8 * i + 3);
    bytes.writeUInt32LE(value >>> 0, 8 * i + 4);
  }
  return bytes;
}
