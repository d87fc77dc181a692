import { cp, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { createSidecarSettings } from '../../src/tools/simulator/environment.ts'
import { createSimulator } from '../../src/tools/simulator/simulator.ts'
import { createFolder } from '../fixtures/folder.ts'
import { runNode } from '../fixtures/run-program.ts'
import { DOCS_URL } from '../../src/lib/version.ts'

/** The directories of the image, which a temporary directory replaces here. */
const APP = '/app'
const SECRETS = '/var/run/secrets'

const stack = new AsyncDisposableStack()
afterAll(() => stack.disposeAsync())
const directory = stack.use(createFolder())
const [app, secrets] = [directory.file('app'), directory.file('secrets')]
await cp('dist', app, { recursive: true })
// The Dockerfile leaves it out.
await rm(join(app, 'demo'), { recursive: true })
const simulator = stack.use(await createSimulator({ stateDir: secrets }))
const options = (await nodeOptions()).replaceAll(`=${APP}`, `=${app}`).replaceAll(SECRETS, secrets)

/** NODE_OPTIONS of the sidecar's image. */
async function nodeOptions(): Promise<string> {
  const [, sidecar = ''] = (await readFile('Dockerfile', 'utf8')).split('FROM wimds AS sidecar')
  const [, line] = /NODE_OPTIONS="([^"]+)"/.exec(sidecar) ?? []
  if (line === undefined) throw new Error('the Dockerfile has no NODE_OPTIONS')
  return line
}

/** Runs `wimds token` with the options of the image. */
const token = (env: Readonly<Record<string, string>> = {}) =>
  runNode([join(app, 'wimds.js'), 'token', 'https://vault.azure.net'], {
    NODE_OPTIONS: options,
    ...createSidecarSettings(simulator),
    ...env,
  })

test('wimds gets a token with the permissions of its image', async () => {
  const { code, stdout, stderr } = await token()
  expect(stderr).toBe('')
  expect(stdout).toMatch(/^eyJ/)
  expect(code).toBe(0)
})

test('the demo prints one line about the package that it needs', async () => {
  const { code, stdout, stderr } = await runNode([join(app, 'wimds.js'), 'demo'], {
    NODE_OPTIONS: options,
  })
  expect(stderr).toBe(
    `wimds demo: its application was not found: images do not contain it. Fix: install the command line: ${DOCS_URL}/install.html\n`,
  )
  expect({ code, stdout }).toEqual({ code: 1, stdout: '' })
})

/** A module that prints the error code of each attempt. */
const ATTEMPTS = `
  const attempts = {
    process: async () => (await import('node:child_process')).execFileSync('id'),
    thread: async () => new (await import('node:worker_threads')).Worker('1', { eval: true }),
    debugger: async () => (await import('node:inspector')).open(0),
    addon: () => process.dlopen({ exports: {} }, '/app/x.node'),
    read: async () => (await import('node:fs')).readFileSync('/etc/passwd'),
    link: async () => (await import('node:fs')).symlinkSync('/etc/passwd', '/app/passwd'),
    write: async () => (await import('node:fs')).writeFileSync('/app/wimds.js', ''),
    sqlite: async () => new (await import('node:sqlite')).DatabaseSync('/app/x.db'),
    report: () => process.report.writeReport('report.json'),
    openFiles: async () => (await import('node:fs')).readdirSync('/proc/self/fd'),
    sockets: async () => (await import('node:fs')).readFileSync('/proc/self/net/tcp'),
    socketsOfIpv6: async () => (await import('node:fs')).readFileSync('/proc/self/net/tcp6'),
    routes: async () => (await import('node:fs')).readFileSync('/proc/self/net/route'),
  }
  for (const [name, attempt] of Object.entries(attempts)) {
    try { await attempt(); console.log(name, 'allowed') } catch (error) { console.log(name, error.code) }
  }
`

test('the image denies processes, threads, add-ons, SQLite and other files', async () => {
  const module = join(app, 'attempts.mjs')
  await writeFile(module, ATTEMPTS.replaceAll('/app/', `${app}/`))
  const { stdout } = await runNode([module], { NODE_OPTIONS: options })
  expect(
    Object.fromEntries(
      stdout
        .trim()
        .split('\n')
        .map((line) => line.split(' ')),
    ),
  ).toEqual({
    process: 'ERR_ACCESS_DENIED',
    thread: 'ERR_ACCESS_DENIED',
    debugger: 'ERR_ACCESS_DENIED',
    addon: 'ERR_DLOPEN_DISABLED',
    read: 'ERR_ACCESS_DENIED',
    link: 'ERR_ACCESS_DENIED',
    write: 'ERR_ACCESS_DENIED',
    sqlite: 'ERR_UNKNOWN_BUILTIN_MODULE',
    report: 'ERR_ACCESS_DENIED',
    openFiles: 'allowed',
    sockets: 'allowed',
    socketsOfIpv6: 'allowed',
    routes: 'ERR_ACCESS_DENIED',
  })
})

test('reading another file fails with its path, and can be allowed', async () => {
  using elsewhere = createFolder()
  const caFile = elsewhere.file('ca.crt')
  await cp(simulator.caFile, caFile)
  const refused = await token({ WIMDS_CA_FILE: caFile })
  expect(refused.code).not.toBe(0)
  expect(refused.stderr).toContain(caFile)
  const NODE_OPTIONS = `${options} --allow-fs-read=${elsewhere.path}`
  expect(await token({ WIMDS_CA_FILE: caFile, NODE_OPTIONS })).toMatchObject({ code: 0 })
})
