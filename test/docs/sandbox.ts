/** Where the commands of the pages are run: bash, with wimds and few programs, beside a simulated Entra ID. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { chmod, cp, mkdir, mkdtempDisposable, readFile, symlink, writeFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { fileURLToPath } from 'node:url'
import { vi } from 'vitest'
import { sidecarSettings } from '../../src/simulator/environment.ts'
import { createSimulator } from '../../src/simulator/simulator.ts'
import { listening } from '../fixtures/listening.ts'
import { freePort } from '../support/free-port.ts'
import { ROOT } from './pages.ts'
import { PROGRAMS } from './programs.ts'
import type { Call } from './verbs.ts'

/** What a page's commands did. */
interface Ran {
  readonly code: number | null
  readonly stdout: string
  readonly stderr: string
  /** Calls of programs that are not run here. */
  readonly calls: readonly Call[]
}

export interface Sandbox extends AsyncDisposable {
  /** Where the commands are run. */
  readonly directory: string
  /** The address of the sidecar that is there already. */
  readonly origin: string
  /** Runs a block of shell to its end; what it left in the background is ended. */
  readonly run: (block: string) => Promise<Ran>
}

const STAND_IN = fileURLToPath(new URL('./stand-in.mjs', import.meta.url))

/** With `isDry`, wimds itself is only noted too. */
export async function createSandbox({ isDry = false } = {}): Promise<Sandbox> {
  await using onFailure = new AsyncDisposableStack()
  const directory = onFailure.use(await mkdtempDisposable(join(tmpdir(), 'wimds-docs-'))).path
  const calls = join(directory, 'calls')
  await furnish(directory, isDry)

  const world = onFailure.use(await createSimulator())
  const prometheus = onFailure.use(await emptyPrometheus())
  const [port, adminPort, ownPort] = [await freePort(), await freePort(), await freePort()]
  const env = {
    PATH: join(directory, 'bin'),
    HOME: directory,
    CALLS: calls,
    ...sidecarSettings(world),
    ISSUER: world.issuer.issuer,
  }
  const main = spawn(process.execPath, [join(directory, 'dist/wimds.js'), 'serve'], {
    env: {
      ...env,
      WIMDS_LISTEN: `127.0.0.1:${port}`,
      WIMDS_ADMIN_LISTEN: `127.0.0.1:${adminPort}`,
    },
    stdio: 'ignore',
  })
  onFailure.defer(async () => {
    main.kill('SIGTERM')
    if (main.exitCode === null) await once(main, 'exit')
  })
  await vi.waitUntil(() => isReady(`http://127.0.0.1:${adminPort}/readyz`), { timeout: 20_000 })

  /** Addresses of the pages, and what is there in the sandbox. A page's own sidecar has ports of its own. */
  const addresses: readonly (readonly [string, string])[] = [
    ['http://127.0.0.1:8000', `http://127.0.0.1:${ownPort}`],
    ['http://localhost:9169', `http://localhost:${adminPort}`],
    ['http://prometheus.monitoring:9090', `http://127.0.0.1:${prometheus.port}`],
  ]
  const run = async (block: string): Promise<Ran> => {
    await writeFile(calls, '')
    const script = addresses.reduce((result, [from, to]) => result.replaceAll(from, to), block)
    // Without the built-in kill: a page's may name a process that is not of the sandbox.
    const child = spawn('/bin/bash', ['-euo', 'pipefail', '-c', `enable -n kill\n${script}`], {
      cwd: directory,
      env: { ...env, WIMDS_LISTEN: `127.0.0.1:${ownPort}`, WIMDS_ADMIN_LISTEN: 'off' },
      stdio: ['ignore', 'pipe', 'pipe'],
      detached: true,
    })
    const output = Promise.all([text(child.stdout), text(child.stderr)])
    await once(child, 'exit')
    endGroup(child.pid)
    const [stdout, stderr] = await output
    return { code: child.exitCode, stdout, stderr, calls: await readCalls(calls) }
  }
  const started = onFailure.move()
  return {
    directory,
    origin: `http://127.0.0.1:${port}`,
    run,
    [Symbol.asyncDispose]: () => started.disposeAsync(),
  }
}

/** The programs, and the files that the pages name. */
async function furnish(directory: string, isDry: boolean): Promise<void> {
  const bin = join(directory, 'bin')
  await mkdir(bin)
  await cp(join(ROOT, 'dist'), join(directory, 'dist'), { recursive: true })
  await writeFile(join(directory, 'package.json'), '{"type":"module"}')
  await symlink(process.execPath, join(bin, 'node'))
  await symlink('/usr/bin/curl', join(bin, 'curl'))
  for (const name of Object.keys(PROGRAMS)) await program(join(bin, name), noted(name))
  const wimds = `exec node '${directory}/dist/wimds.js' "$@"`
  await program(join(bin, 'wimds'), isDry ? noted('wimds') : wimds)
  await writeFile(join(directory, '.curlrc'), 'fail\nsilent\nshow-error\n')
  // A busy machine takes longer than a reader's.
  await program(join(bin, 'sleep'), 'exec /bin/sleep "$(($1 * 2))"')
  // It is set up already.
  await mkdir(join(directory, 'scripts'))
  await writeFile(join(directory, 'scripts/setup.mjs'), '')
  await mkdir(join(directory, '.ci'))
  await program(join(directory, '.ci/run'), noted('.ci/run'))
  await symlink(join(ROOT, 'charts'), join(directory, 'charts'))
  await symlink(join(ROOT, 'examples/kubernetes'), join(directory, 'kubernetes'))
  await cp(join(ROOT, 'examples/kubernetes/deployment.yaml'), join(directory, 'deployment.yaml'))
}

async function program(path: string, command: string): Promise<void> {
  await writeFile(path, `#!/bin/sh\n${command}\n`)
  await chmod(path, 0o755)
}

/** The command that notes a call of this program. */
const noted = (name: string) => `exec '${process.execPath}' '${STAND_IN}' ${name} "$@"`

async function emptyPrometheus() {
  const answer = JSON.stringify({ status: 'success', data: { resultType: 'vector', result: [] } })
  return await listening(createServer((_request, response) => response.end(answer)))
}

async function isReady(url: string): Promise<boolean> {
  const answer = await fetch(url).catch(() => undefined)
  return answer?.ok === true
}

/** Ends what a block left running. */
function endGroup(pid: number | undefined): void {
  try {
    if (pid !== undefined) process.kill(-pid, 'SIGKILL')
  } catch {
    // Nothing was left.
  }
}

async function readCalls(file: string): Promise<Call[]> {
  const lines = (await readFile(file, 'utf8')).split('\n').filter((line) => line !== '')
  return lines.map((line): Call => JSON.parse(line))
}
