// Writes dist/serve.cjs.cache: V8's compiled code of the sidecar's functions, taken after it has served one
// token against the simulator. docs/decisions/0007 says why Node's own compile cache is not enough.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { parseEnv } from 'node:util'

const RECORDER = fileURLToPath(new URL('record-compiled-code.mjs', import.meta.url))
const RENUMBERER = fileURLToPath(new URL('renumber-compiled-code.mjs', import.meta.url))
/** With the same seed V8 creates the same hash tables, so every build writes the same bytes. */
const SEED = ['--random-seed=1']
/** The initial heap is larger than all allocations of the sidecar here. */
const NO_GARBAGE_COLLECTION = [
  '--initial-heap-size=1000',
  '--min-semi-space-size=64',
  '--no-memory-reducer',
]
const TOKEN =
  '/metadata/identity/oauth2/token?api-version=2018-02-01&resource=https://vault.azure.net'

/** Writes the compiled code. Prints a failure and continues: without the code the sidecar only starts some 30 ms later. */
export async function compileSidecar(dist) {
  const script = join(dist, 'serve.cjs')
  const directory = await mkdtemp(join(tmpdir(), 'wimds-build-'))
  const children = []
  const run = (args, env) => {
    const child = spawn(process.execPath, args, {
      env: { PATH: process.env.PATH, ...env },
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    children.push(child)
    return child
  }
  try {
    const simulator = run([join(dist, 'wimds.js'), 'simulate', '--dir', directory], {})
    await firstLine(simulator)
    const settings = parseEnv(await readFile(join(directory, 'env'), 'utf8'))
    const sidecar = run([...SEED, ...NO_GARBAGE_COLLECTION, RECORDER, script], {
      ...settings,
      WIMDS_LISTEN: '127.0.0.1:0',
      WIMDS_ADMIN_LISTEN: '127.0.0.1:0',
    })
    const { addresses, adminAddresses } = JSON.parse(await firstLine(sidecar))
    // The compiled code depends on the order of these steps, not on the time between them.
    await request(`http://${addresses[0]}${TOKEN}`)
    await request(`http://${addresses[0]}${TOKEN}`)
    await request(`http://${adminAddresses[0]}/readyz`)
    // This closes the sidecar's connection to Entra ID. After the next reply, the sidecar has noticed it.
    await stop(simulator)
    await request(`http://${adminAddresses[0]}/healthz`)
    await stop(sidecar)
    const renumberer = run([...SEED, RENUMBERER, script], {})
    const [code] = await once(renumberer, 'exit')
    if (code !== 0) throw new Error(`${RENUMBERER} exited with code ${code}`)
  } catch (error) {
    process.stderr.write(`build: no compiled code: ${error.message}\n`)
  } finally {
    for (const child of children.toReversed()) await stop(child)
    await rm(directory, { recursive: true, force: true })
  }
}

/** Throws unless the answer is a success. Closes the connection, since the server would close an idle one after some time. */
async function request(url) {
  const answer = await fetch(url, { headers: { Metadata: 'true', Connection: 'close' } })
  if (!answer.ok) throw new Error(`${url} answered ${answer.status}`)
  await answer.text()
}

async function stop(child) {
  if (child.exitCode !== null || child.signalCode !== null) return
  child.kill('SIGTERM')
  await once(child, 'exit')
}

/** Returns the first line that the process prints. Throws if the process ends without one. */
async function firstLine(child) {
  const lines = createInterface({ input: child.stdout })
  const [line] = await Promise.race([once(lines, 'line'), once(child, 'exit')])
  if (typeof line !== 'string') throw new Error(`the process exited with code ${child.exitCode}`)
  return line
}
