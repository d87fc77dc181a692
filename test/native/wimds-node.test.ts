/** The program of the node agent, with real namespaces, directories and processes. */
import { execFileSync, spawn, spawnSync, type SendHandle } from 'node:child_process'
import { once } from 'node:events'
import { Socket } from 'node:net'
import {
  chmodSync,
  closeSync,
  mkdirSync,
  openSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { buffer } from 'node:stream/consumers'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { createFolder } from '../fixtures/folder.ts'
import { compileNative, hasNoCompiler, isEmulated } from '../fixtures/native.ts'
import { runProgram, waitForEnd } from '../fixtures/run-program.ts'
import { podNetwork, reasonToSkip } from '../redirect/namespace.ts'

const UID = '0b7b6f0c-1d39-4a8e-9f2f-3b1f0f4c2a11'
/** Nothing else on a machine has it: the limit of threads counts all processes of a uid. */
const UIDS = '60001501-60001501'
const reason = hasNoCompiler ? 'there is no compiler' : reasonToSkip()
// qemu 7.2 has no openat2, no mount_setattr, and no SO_ATTACH_REUSEPORT_CBPF, without which no socket listens.
const lacksCalls = reason !== undefined || isEmulated
const directory = createFolder()
const program = directory.file('wimds-node')
beforeAll(() => {
  if (reason === undefined) compileNative('wimds-node', program)
})
afterAll(() => directory[Symbol.dispose]())

type Handle = NonNullable<SendHandle>

test.skipIf(reason !== undefined || isEmulated)('the program is hardened as compilers can', () => {
  const { stdout } = spawnSync('readelf', ['--dynamic', '--symbols', '--wide', program])
  const found = stdout.toString().match(/Flags: NOW PIE|__stack_chk_fail|__\w+_chk/g)
  expect(found).toEqual(
    expect.arrayContaining(['Flags: NOW PIE', '__stack_chk_fail', '__vfprintf_chk']),
  )
})

describe.skipIf(reason !== undefined)('open-socket', () => {
  const PORT = 64_169

  /** Resolves to the socket, or rejects with what the program printed. */
  async function openSocket(namespacePath: string, programs: readonly string[]): Promise<Handle> {
    const namespace = openSync(namespacePath, 'r')
    const child = spawn(program, ['open-socket', String(PORT), ...programs], {
      stdio: ['ignore', 'ignore', 'pipe', 'ipc', namespace],
    })
    closeSync(namespace)
    let received: SendHandle
    child.on('message', (message, handle) => {
      expect(message).toBe('socket')
      received = handle
    })
    const { code, stderr } = await waitForEnd(child)
    if (code !== 0 || received === undefined) throw new Error(stderr.trim())
    return received
  }

  test.skipIf(isEmulated)('leaves its programs the capability NET_ADMIN only', async () => {
    using pod = await podNetwork()
    const file = directory.file('status')
    const socket = await openSocket(pod.namespacePath, ['--', 'cp', '/proc/self/status', file])
    if ('close' in socket) socket.close()
    const sets = readFileSync(file, 'utf8').match(/^(?:Cap(?:Inh|Prm|Eff|Amb)|NoNewPrivs):.*/gm)
    expect(sets?.map((line) => line.split('\t'))).toEqual([
      ['CapInh:', '0000000000000000'],
      ['CapPrm:', '0000000000001000'],
      ['CapEff:', '0000000000001000'],
      ['CapAmb:', '0000000000000000'],
      ['NoNewPrivs:', '1'],
    ])
  })
})

describe.skipIf(lacksCalls)('read-files', () => {
  const root = directory.file('pods')
  const volume = join(root, UID, 'volumes/kubernetes.io~projected/token')
  beforeAll(() => {
    mkdirSync(join(volume, '..2026_11_28'), { recursive: true })
    writeFileSync(join(volume, '..2026_11_28', 'token'), 'the token')
    symlinkSync('..2026_11_28', join(volume, '..data'))
    symlinkSync('..data/token', join(volume, 'token'))
    writeFileSync(join(volume, 'largest'), 'x'.repeat(131_072))
    writeFileSync(join(volume, 'larger'), 'x'.repeat(131_073))
    symlinkSync('/etc/passwd', join(volume, 'absolute'))
    symlinkSync('../../../../other/secret', join(volume, 'relative'))
    symlinkSync('/proc/self/root/etc/passwd', join(volume, 'magic'))
    execFileSync('mkfifo', [join(volume, 'fifo')])
    mkdirSync(join(root, 'other'))
    writeFileSync(join(root, 'other', 'secret'), 'of another pod')
    symlinkSync('other', join(root, 'link'))
    symlinkSync('/', join(root, 'slash'))
  })

  /** Sends all requests at once and returns the answers. */
  async function read(requests: readonly string[], at = root): Promise<string[]> {
    const child = spawn(program, ['read-files', at])
    child.stdin.end(requests.map((request) => `${request}\n`).join(''))
    const [output] = await Promise.all([buffer(child.stdout), once(child, 'close')])
    return [...parseAnswers(output)]
  }

  const projected = (name: string) => `${UID} volumes/kubernetes.io~projected/token/${name}`

  test.each([
    ['a token behind the links of the kubelet', projected('token'), 'the token'],
    ['the largest file', projected('largest'), 'x'.repeat(131_072)],
    ['no larger file', projected('larger'), 'ERR EFBIG'],
    ['no missing file', projected('missing'), 'ERR ENOENT'],
    ['no directory', projected(''), 'ERR EINVAL'],
    ['no FIFO', projected('fifo'), 'ERR EINVAL'],
    ['nothing behind an absolute link', projected('absolute'), 'ERR EXDEV'],
    ['nothing behind a link out of the pod', projected('relative'), 'ERR EXDEV'],
    ['nothing behind a link of /proc', projected('magic'), 'ERR EXDEV'],
    ['no absolute path', `${UID} /etc/passwd`, 'ERR EXDEV'],
    ['no other pod', `${UID} ../other/secret`, 'ERR EXDEV'],
    ['nothing in the parent of the pods', '.. pods/other/secret', 'ERR EXDEV'],
    ['no pod through a directory', `./${UID} volumes`, 'ERR EXDEV'],
    ['no pod behind a link', 'link secret', 'ERR ELOOP'],
    ['no directory behind a link', 'slash etc/passwd', 'ERR ELOOP'],
    ['nothing in the directory of all pods', '. other/secret', 'ERR EXDEV'],
    ['no request without a path', UID, 'ERR EINVAL'],
    ['no request with a NUL', `${projected('token')}\0`, 'ERR EINVAL'],
    ['no request without an end', `${UID} ${'x'.repeat(100_000)}`, 'ERR EINVAL'],
  ])('reads %s', async (_, request, answer) => {
    // The helper still answers the next request.
    expect(await read([request, projected('token')])).toEqual([answer, 'the token'])
  })

  test('names a directory that is not there', async () => {
    expect(await runProgram(program, ['read-files', '/nowhere'])).toMatchObject({
      code: 1,
      stderr:
        'wimds-node: /nowhere. Fix: set nodeAgent.kubeletDirectory: No such file or directory\n',
    })
  })
})

const DENIED = [
  'unshare',
  'setns',
  'mount',
  'umount2',
  'open_tree',
  'move_mount',
  'fsopen',
  'ptrace',
  'process_vm_readv',
  'process_vm_writev',
  'pidfd_getfd',
  'bpf',
  'perf_event_open',
  'open_by_handle_at',
  'keyctl',
  'io_uring_setup',
  'memfd_create',
  'memfd_secret',
  'shmget',
  'semget',
  'msgget',
  'mq_open',
  'execveat',
  'vmsplice',
  'io_setup',
  'socket',
  'socketpair',
  'bind',
  'connect',
  'sendto',
  'sendmsg',
  'sendmmsg',
]

/** Prints the error of each call, or OK. */
const CALLS = `
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>
#define MAP(flags, file) (long)mmap(0, 4096, PROT_READ, flags, file, 0)
#define TRY(name, call) do { errno = 0; printf("%s %s\\n", name, (call) < 0 ? strerrorname_np(errno) : "OK"); } while (0)
int main(void) {
  ${DENIED.map((name) => `TRY("${name}", syscall(SYS_${name}, 0, 0, 0, 0, 0, 0));`).join('\n  ')}
  TRY("clone", syscall(SYS_clone, CLONE_NEWUSER | CLONE_THREAD, 0, 0, 0, 0));
  TRY("clone3", syscall(SYS_clone3, 0, 0));
  TRY("child", syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0));
  TRY("fork", fork());
  printf("landlock %ld\\n", syscall(SYS_landlock_create_ruleset, 0, 0, 1));
  TRY("file", open("/tmp/wimds-of-a-broker", O_CREAT | O_WRONLY, 0600));
  TRY("vfork", vfork());
  TRY("mapping", MAP(MAP_PRIVATE | MAP_ANONYMOUS, -1));
  TRY("shared mapping", MAP(MAP_SHARED | MAP_ANONYMOUS, -1));
  TRY("validated mapping", MAP(MAP_SHARED_VALIDATE | MAP_ANONYMOUS, -1));
  TRY("shared zeros", MAP(MAP_SHARED, open("/dev/zero", O_RDONLY)));
  TRY("mapping that grows", MAP(MAP_PRIVATE | MAP_ANONYMOUS | MAP_GROWSDOWN, -1));
  TRY("receive buffer", setsockopt(3, SOL_SOCKET, SO_RCVBUF, &(int){1 << 20}, sizeof(int)));
  TRY("send buffer", setsockopt(3, SOL_SOCKET, SO_SNDBUF, &(int){1 << 20}, sizeof(int)));
  TRY("other option", setsockopt(3, SOL_SOCKET, SO_RCVLOWAT, &(int){1}, sizeof(int)));
  TRY("death signal", prctl(PR_SET_PDEATHSIG, 0));
  TRY("thread name", prctl(PR_SET_NAME, "broker"));
  TRY("program", execl("/bin/true", "true", NULL));
#ifdef __x86_64__
  TRY("x32", syscall(0x40000000 | SYS_getpid));
#endif
}`

describe.skipIf(lacksCalls)('run-broker', () => {
  const host = directory.file('host')
  const file = directory.file('open')
  beforeAll(() => {
    chmodSync(directory.path, 0o755)
    mkdirSync(host)
    writeFileSync(file, '')
  })

  // The shell does all itself, since a broker cannot start processes.
  const SHOW = `
    while read -r line; do echo "$line"; done < /proc/$$/status
    while read -r line; do echo "$line"; done < /proc/$$/limits
    echo "files:" ${host}/*
    [ -e /proc/$$/fd/5 ] || echo "no descriptor 5"
    echo "directory: $PWD"
    while read -r name rest; do echo "$name"; done < /proc/$$/net/dev
    trap '' PIPE; echo >&3 || echo "channel 3 goes one way"
    echo ready >&4
    read -r request <&4
    echo "request: $request"`

  let opened = 0
  /** Opens a file of locks, which this process keeps open: a new one, unless it has a name. */
  const openLocks = (name = `locks-${(opened += 1)}`) => openSync(directory.file(name), 'a')

  /** Starts a shell, or a program, in place of the broker, where \`host\` is a mounted directory with a file. */
  function start(
    script: string | readonly string[],
    uids = UIDS,
    directories = [host],
    locks = openLocks(),
  ) {
    const mount = `mount -t tmpfs none ${host} && touch ${host}/secret && exec "$@"`
    const argv = typeof script === 'string' ? ['/bin/sh', '-c', script] : script
    const broker = [program, 'run-broker', uids, ...directories, '--', ...argv]
    return spawn('unshare', ['--mount', 'sh', '-c', mount, 'sh', ...broker], {
      stdio: ['ignore', 'pipe', 'pipe', 'ipc', 'pipe', locks],
    })
  }

  test('leaves the broker no power, no directory of the node and no descriptor but its channels', async () => {
    const broker = start(SHOW)
    const [, , , , messages] = broker.stdio
    if (messages instanceof Socket) messages.once('data', () => messages.write('served\n'))
    const { stdout } = await waitForEnd(broker)
    const none = '0000000000000000'
    expect(stdout.match(/^\w+:$/gm)?.filter((line) => line !== 'Groups:')).toEqual(['lo:'])
    const lines = stdout.split('\n').map((line) => line.replaceAll(/\s+/g, ' ').trim())
    expect(lines).toEqual(
      expect.arrayContaining([
        'Uid: 60001501 60001501 60001501 60001501',
        'Gid: 60001501 60001501 60001501 60001501',
        'Groups:',
        ...['CapInh', 'CapPrm', 'CapEff', 'CapAmb'].map((set) => `${set}: ${none}`),
        'NoNewPrivs: 1',
        'Max processes 64 64 processes',
        'Max data size 838860800 838860800 bytes',
        'Max stack size 8388608 8388608 bytes',
        'Max address space 17179869184 17179869184 bytes',
        'Max open files 4096 4096 files',
        `files: ${host}/*`,
        'no descriptor 5',
        'channel 3 goes one way',
        'directory: /',
        'request: served',
      ]),
    )
  })

  test('leaves the broker no call that reaches other namespaces, processes or the kernel', async () => {
    const tries = directory.write('calls.c', CALLS)
    const calls = directory.file('calls')
    expect(spawnSync('gcc', ['-o', calls, tries]).stderr.toString()).toBe('')
    chmodSync(calls, 0o755)
    const { stdout } = await waitForEnd(start([calls]))
    rmSync('/tmp/wimds-of-a-broker', { force: true })
    const { landlock, ...results } = Object.fromEntries(
      stdout
        .trim()
        .split('\n')
        .map((line) => line.split(/ (?=\S+$)/)),
    )
    const protectsFiles = Number(landlock) >= 3
    expect(results).toEqual({
      ...Object.fromEntries(DENIED.map((name) => [name, 'EPERM'])),
      clone: 'EPERM',
      clone3: 'ENOSYS',
      child: 'EPERM',
      fork: 'EPERM',
      vfork: 'EPERM',
      file: protectsFiles ? 'EACCES' : 'OK',
      mapping: 'OK',
      'shared mapping': 'EPERM',
      'validated mapping': 'EPERM',
      'shared zeros': 'EPERM',
      'mapping that grows': 'EPERM',
      'receive buffer': 'EPERM',
      'send buffer': 'EPERM',
      'other option': 'OK',
      'death signal': 'EPERM',
      'thread name': 'OK',
      program: 'EPERM',
      ...(process.arch === 'x64' && { x32: 'ENOSYS' }),
    })
  })

  test.each([
    ['does not exist', 'ENOSYS'],
    ['closes nothing', '0'],
  ])('does not give the broker the file of uids when close_range %s', async (_, number) => {
    const source = directory.write(
      'without.c',
      `#include <errno.h>
       #include <linux/filter.h>
       #include <linux/seccomp.h>
       #include <stddef.h>
       #include <sys/prctl.h>
       #include <sys/syscall.h>
       #include <unistd.h>
       int main(int argc, char **argv) {
         struct sock_filter filter[] = {
             BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
             BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_close_range, 0, 1),
             BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ${number}),
             BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
         };
         struct sock_fprog program = {.len = 4, .filter = filter};
         if (argc < 2 || prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 ||
             prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program, 0, 0) != 0) return 1;
         return execv(argv[1], argv + 1);
       }`,
    )
    const without = directory.file('without')
    expect(spawnSync('gcc', ['-o', without, source]).stderr.toString()).toBe('')
    const show = '[ -e /proc/$$/fd/4 ] && [ ! -e /proc/$$/fd/5 ] && echo "its channels only"'
    const argv = [program, 'run-broker', UIDS, '--', '/bin/sh', '-c', show]
    const stdio = ['ignore', 'pipe', 'pipe', 'ipc', 'pipe', openLocks()] as const
    const broker = spawn(without, argv, { stdio: [...stdio] })
    const { stdout, stderr } = await waitForEnd(broker)
    expect([stdout, stderr]).toEqual(
      number === '0'
        ? ['its channels only\n', '']
        : ['', 'wimds-node: cannot close the descriptors of the agent: Function not implemented\n'],
    )
  })

  test('gives the broker a uid that no other broker has, until the file of its lock is closed', async () => {
    const printUid = `
      while read -r line; do case $line in Uid:*) echo $line; esac; done < /proc/$$/status`
    const run = async (locks: number) =>
      waitForEnd(start(printUid, '60001501-60001502', [host], locks)).then(({ stdout, stderr }) =>
        (stdout + stderr).trim().split('\t').at(-1),
      )
    const [first, second, third] = [openLocks('same'), openLocks('same'), openLocks('same')]
    expect([await run(first), await run(second), await run(third)]).toEqual([
      expect.stringMatching(/ 60001501$/),
      expect.stringMatching(/ 60001502$/),
      'wimds-node: all uids from 60001501 to 60001502 are in use. Fix: set a larger range by nodeAgent.brokerUids',
    ])
    closeSync(first)
    expect(await run(third)).toMatch(/ 60001501$/)
    for (const locks of [second, third]) closeSync(locks)
  })

  test('ends the broker with the agent', async () => {
    const script = 'echo started; read -r line <&4'
    const run = `"$0" run-broker ${UIDS} -- /bin/sh -c '${script}' & wait`
    const agent = spawn('sh', ['-c', run, program], {
      stdio: ['ignore', 'pipe', 'inherit', 'pipe', 'pipe', openLocks()],
      env: { NODE_CHANNEL_FD: '3' },
    })
    await once(agent.stdout ?? agent, 'data')
    agent.kill('SIGKILL')
    // Its standard output is closed when the last process that has it has ended.
    await once(agent, 'close')
    expect(agent.signalCode).toBe('SIGKILL')
  })

  test('does not start the broker with a directory that is no mount', async () => {
    const { code, stdout, stderr } = await waitForEnd(start('echo started', UIDS, [host, '/usr']))
    expect({ code, stdout }).toEqual({ code: 1, stdout: '' })
    expect(stderr).toBe('wimds-node: cannot detach /usr: Invalid argument\n')
  })

  test.each([
    [[UIDS, '/x', '--']],
    [['0-60001501', '--', '/bin/true']],
    [['1-4294967295', '--', '/bin/true']],
  ])('refuses the arguments %j', async (args) => {
    expect(await runProgram(program, ['run-broker', ...args])).toMatchObject({
      code: 1,
      stderr: 'wimds-node: wrong arguments\n',
    })
  })
})

function* parseAnswers(output: Buffer): Generator<string> {
  for (let at = 0; at < output.length;) {
    const end = output.indexOf('\n', at)
    const line = output.toString('utf8', at, end)
    at = end + 1
    if (line.startsWith('OK ')) {
      const length = Number(line.slice(3))
      yield output.toString('utf8', at, at + length)
      at += length
    } else {
      yield line
    }
  }
}
