import { cp, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { environmentOf } from '../fixtures/served.ts'
import { createSimulator } from '../../src/tools/simulator/simulator.ts'
import { createFolder } from '../fixtures/folder.ts'
import { runNode } from '../fixtures/run-program.ts'

/** The directories of the image, which a temporary directory replaces here. */
const APP = '/app'
const SECRETS = '/var/run/secrets'

const stack = new AsyncDisposableStack()
afterAll(() => stack.disposeAsync())
const directory = stack.use(createFolder())
const [app, secrets] = [directory.file('app'), directory.file('secrets')]
await cp('dist', app, { recursive: true })
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
    ...environmentOf(simulator),
    ...env,
  })

test('wimds gets a token with the permissions of its image', async () => {
  const { code, stdout, stderr } = await token()
  expect(stderr).toBe('')
  expect(stdout).toMatch(/^eyJ/)
  expect(code).toBe(0)
})

const DENIED = 'ERR_ACCESS_DENIED'
const ALLOWED = 'allowed'

/** Expressions in the image, each with the error code by which Node denies it. */
const ATTEMPTS: readonly (readonly [expression: string, outcome: string])[] = [
  [`(await import('node:child_process')).execFileSync('id')`, DENIED],
  [`new (await import('node:worker_threads')).Worker('1', { eval: true })`, DENIED],
  [`(await import('node:inspector')).open(0)`, DENIED],
  [`process.dlopen({ exports: {} }, '/app/x.node')`, 'ERR_DLOPEN_DISABLED'],
  [`(await import('node:fs')).readFileSync('/etc/passwd')`, DENIED],
  [`(await import('node:fs')).symlinkSync('/etc/passwd', '/app/passwd')`, DENIED],
  [`(await import('node:fs')).writeFileSync('/app/wimds.js', '')`, DENIED],
  [`new (await import('node:sqlite')).DatabaseSync('/app/x.db')`, 'ERR_UNKNOWN_BUILTIN_MODULE'],
  [`process.report.writeReport('report.json')`, DENIED],
  [`(await import('node:fs')).readdirSync('/proc/self/fd')`, ALLOWED],
  [`(await import('node:fs')).readFileSync('/proc/self/net/tcp')`, DENIED],
]

test('the image denies processes, threads, add-ons, SQLite and other files', async () => {
  const module = join(app, 'attempts.mjs')
  const attempts = ATTEMPTS.map(
    ([expression]) =>
      `try { ${expression}; console.log('${ALLOWED}') } catch (error) { console.log(error.code) }\n`,
  )
  await writeFile(module, attempts.join('').replaceAll('/app/', `${app}/`))
  const { stdout } = await runNode([module], { NODE_OPTIONS: options })
  const outcomes = stdout.trim().split('\n')
  expect(ATTEMPTS.map(([expression], index) => [expression, outcomes[index]])).toEqual(ATTEMPTS)
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
