// Writes dist/serve.cjs.cache: runs the bundled sidecar against the bundled simulator, has it fetch
// one token, and takes what V8 has compiled by then.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { parseEnv } from 'node:util'

const WARM = fileURLToPath(new URL('warm.mjs', import.meta.url))
const TOKEN_PATH =
  '/metadata/identity/oauth2/token?api-version=2018-02-01&resource=https://vault.azure.net'

/** A failure is told and changes nothing else: without its cache wimds starts 30 ms later. */
export async function compile(dist) {
  const directory = await mkdtemp(join(tmpdir(), 'wimds-build-'))
  const children = []
  try {
    const world = run([join(dist, 'wimds.js'), 'simulate', '--dir', directory], {}, children)
    await Promise.race([once(world.stdout, 'data'), failed(world)])
    const settings = parseEnv(await readFile(join(directory, 'env'), 'utf8'))
    const [port, adminPort] = [await freePort(), await freePort()]
    const addresses = {
      WIMDS_LISTEN: `127.0.0.1:${port}`,
      WIMDS_ADMIN_LISTEN: `127.0.0.1:${adminPort}`,
    }
    const script = join(dist, 'serve.cjs')
    const sidecar = run([WARM, script], { ...settings, ...addresses }, children)
    await answered(`http://127.0.0.1:${port}${TOKEN_PATH}`, sidecar)
    for (const path of ['/healthz', '/readyz']) {
      await answered(`http://127.0.0.1:${adminPort}${path}`, sidecar)
    }
  } catch (error) {
    process.stderr.write(`build: nothing is compiled: ${error.message}\n`)
  } finally {
    for (const child of children) child.kill('SIGTERM')
    await Promise.all(children.map((child) => child.exitCode ?? once(child, 'exit')))
    await rm(directory, { recursive: true, force: true })
  }
}

function run(args, env, children) {
  const child = spawn(process.execPath, args, {
    env: { PATH: process.env.PATH, ...env },
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  child.stdout.resume()
  children.push(child)
  return child
}

async function answered(url, child) {
  for (let time = 0; time < 200; time += 1) {
    if (child.exitCode !== null) throw new Error(`wimds ended with ${child.exitCode}`)
    const answer = await fetch(url, { headers: { Metadata: 'true' } }).catch(() => undefined)
    if (answer?.ok === true) return
    await sleep(25)
  }
  throw new Error(`no answer from ${url}`)
}

async function failed(child) {
  const [code] = await once(child, 'exit')
  throw new Error(`wimds ended with ${code}`)
}

async function freePort() {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address()
  server.close()
  return port
}
