/** The whole sidecar with an identities file: selection, allow-lists and reloads. */
import { mkdir, rename, symlink, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { afterAll, beforeEach, expect, onTestFinished, test, vi } from 'vitest'
import { watchIdentities } from '../../src/broker/reload.ts'
import { ConfigError } from '../../src/lib/errors.ts'
import { createSimulator } from '../../src/tools/simulator/simulator.ts'
import { errorMessage } from '../../src/lib/describe-error.ts'
import { StatusSchema } from '../../src/broker/telemetry/status-schema.ts'
import { request, roundTrip } from '../fixtures/connection.ts'
import { environmentOf, startServe } from '../fixtures/served.ts'

const OTHER = {
  clientId: 'aaaaaaaa-aaaa-4aaa-8aaa-aaaaaaaaaaaa',
  objectId: `${'b'.repeat(8)}-bbbb-4bbb-8bbb-bbbbbbbbbbbb`,
}
const UNKNOWN = '99999999-9999-4999-8999-999999999999'
const ARM_ID =
  '/subscriptions/S/resourcegroups/shop/providers/Microsoft.ManagedIdentity/userAssignedIdentities/invoices'
const TOKEN = '/metadata/identity/oauth2/token?api-version=2018-02-01&resource='
const VAULT = 'https://vault.azure.net'

const simulator = await createSimulator()
afterAll(() => simulator.close())
const [application] = simulator.directory.applications
if (application === undefined) throw new Error('no application')
simulator.directory.applications.push({ ...application, ...OTHER, name: 'invoices' })

let file: string
beforeEach(() => {
  file = join(dirname(simulator.caFile), `${crypto.randomUUID()}.yaml`)
})

const orders = () => `  - {name: orders, clientId: ${simulator.clientId}`
const invoices = `  - {name: invoices, clientId: ${OTHER.clientId}, objectId: ${OTHER.objectId}, resourceId: ${ARM_ID}`
const identities = (...entries: readonly string[]) =>
  `identities:\n${entries.map((entry) => `${entry}}\n`).join('')}`

const start = (env: Readonly<Record<string, string>> = {}) =>
  startServe({ ...environmentOf(simulator), WIMDS_CONFIG: file, ...env })

/** Replaces a polled file atomically, so that no read gets only a part of it. */
async function writeAtOnce(path: string, content: string): Promise<void> {
  await writeFile(`${path}.new`, content)
  await rename(`${path}.new`, path)
}

/** Returns the status, and the client id of the token or the error. */
async function ask(port: number, query: string): Promise<string> {
  const { status, body } = await roundTrip(port, request(`${TOKEN}${query}`))
  const reply: Record<string, string> = JSON.parse(body)
  return `${status} ${reply['client_id'] ?? reply['error_description']}`
}

test('selects the identity by each of its ids', async () => {
  await writeAtOnce(file, identities(`${orders()}, default: true`, invoices))
  await using sidecar = await start()
  const { port } = sidecar
  expect(await ask(port, VAULT)).toBe(`200 ${simulator.clientId}`)
  for (const selector of [
    `client_id=${OTHER.clientId}`,
    `object_id=${OTHER.objectId.toUpperCase()}`,
    `msi_res_id=${ARM_ID}`,
    `mi_res_id=${ARM_ID.toLowerCase()}`,
  ]) {
    expect(await ask(port, `${VAULT}&${selector}`)).toBe(`200 ${OTHER.clientId}`)
  }
  expect(await ask(port, `${VAULT}&client_id=${UNKNOWN}`)).toBe('400 Identity not found')
})

test('allows only the resources of an identity, in every spelling', async () => {
  await writeAtOnce(file, identities(`${orders()}, resources: [${VAULT}/]`))
  await using sidecar = await start()
  for (const resource of [`${VAULT}/.default`, 'HTTPS://VAULT.AZURE.NET']) {
    expect(await ask(sidecar.port, resource)).toBe(`200 ${simulator.clientId}`)
  }
  for (const resource of ['https://management.azure.com/', `${VAULT}.evil`, `${VAULT}/x`]) {
    expect(await ask(sidecar.port, resource)).toMatch(/^400 .*\(wimds: resource_not_allowed\)$/)
  }
})

test('reloads a ConfigMap, and reports an invalid one while the old identities stay', async () => {
  // The kubelet's layout: the file is a symlink through ..data, which is swapped.
  const volume = join(dirname(simulator.caFile), `volume-${crypto.randomUUID()}`)
  const publish = async (version: string, text: string) => {
    await mkdir(join(volume, version), { recursive: true })
    await writeFile(join(volume, version, 'identities.yaml'), text)
    await symlink(version, join(volume, '..data_tmp'))
    await rename(join(volume, '..data_tmp'), join(volume, '..data'))
  }
  await publish('..v1', identities(orders()))
  file = join(volume, 'identities.yaml')
  await symlink('..data/identities.yaml', file)
  await using sidecar = await start({ NODE_TLS_REJECT_UNAUTHORIZED: '0' })
  const { port, adminPort } = sidecar
  expect(sidecar.events()[0]).toMatchObject({ level: 'warn', event: 'config_warning' })
  const asOther = () => ask(port, `${VAULT}&client_id=${OTHER.clientId}`)
  expect(await asOther()).toBe('400 Identity not found')
  expect(await ask(port, VAULT)).toBe(`200 ${simulator.clientId}`)

  await publish('..v2', identities(invoices))
  await expect.poll(asOther).toBe(`200 ${OTHER.clientId}`)
  expect(await ask(port, `${VAULT}&client_id=${simulator.clientId}`)).toBe('400 Identity not found')

  const metrics = async () => (await roundTrip(adminPort, request('/metrics'))).body
  expect(await metrics()).not.toMatch(/^wimds_token_expiry_timestamp_seconds\{identity="orders"/m)
  await publish('..v3', identities('  - {clientId: nobody'))
  await expect.poll(metrics).toMatch(/reload\w*success\w* 0$/m)
  expect(await asOther()).toBe(`200 ${OTHER.clientId}`)
  const refused = sidecar.events().find(({ event }) => event === 'config_reload_failed')
  expect(refused).toMatchObject({ level: 'error' })
  expect(refused?.['message']).toContain(`${file}:2:16: identities[0].clientId: must be a GUID`)
  const local = request('/status.json', { headers: { Host: 'localhost' } })
  const status = (await roundTrip(adminPort, local)).body
  expect(JSON.parse(status)).toMatchObject({
    warnings: [
      expect.stringContaining('NODE_TLS_REJECT_UNAUTHORIZED=0 has no effect'),
      expect.stringMatching(
        /read at \d{4}-\d\d-\d\d [\d:]{8} UTC\), but the old one is still in use: the configuration is not valid:\n {2}WIMDS_CONFIG: /,
      ),
    ],
  })

  await publish('..v4', identities(orders()))
  await expect.poll(metrics).toMatch(/reload\w*success\w* 1$/m)
  expect(await ask(port, VAULT)).toBe(`200 ${simulator.clientId}`)
  expect(JSON.parse((await roundTrip(adminPort, local)).body).warnings).toHaveLength(1)
})

test('applies new names and resources without a new exchange, and prefetches added resources', async () => {
  const storage = 'https://storage.azure.com'
  await writeAtOnce(file, identities(`${orders()}, prefetch: [${VAULT}, ${storage}]`))
  await using sidecar = await start()
  const local = (page: string) =>
    roundTrip(sidecar.adminPort, request(page, { headers: { Host: 'localhost' } }))
  const tokens = async () =>
    StatusSchema.parse(JSON.parse((await local('/status.json')).body)).tokens.map(
      ({ identity, resource, cached }) => cached !== undefined && `${resource} as ${identity}`,
    )
  await expect.poll(tokens).toEqual([`${VAULT} as orders`, `${storage} as orders`])
  const exchanges = simulator.exchanges()

  const renamed = `  - {name: shop, clientId: ${simulator.clientId}`
  await writeAtOnce(file, identities(`${renamed}, prefetch: [${VAULT}], resources: [${VAULT}]`))
  await expect.poll(tokens).toEqual([`${VAULT} as shop`])
  expect((await local('/metrics')).body).toMatch(
    /^wimds_token_expiry_timestamp_seconds\{identity="shop",resource="https:\/\/vault\.azure\.net"\}/m,
  )
  expect(await ask(sidecar.port, VAULT)).toBe(`200 ${simulator.clientId}`)
  expect(simulator.exchanges()).toBe(exchanges)

  await writeAtOnce(file, identities(`${renamed}, prefetch: [${VAULT}, ${storage}]`))
  await expect.poll(tokens).toEqual([`${VAULT} as shop`, `${storage} as shop`])
})

test('applies a new tenant to /metadata/identity/info and to a repeated query', async () => {
  await writeAtOnce(file, identities(`${orders()}, tenantId: first.example`))
  await using sidecar = await start()
  const info = async () => {
    const path = '/metadata/identity/info?api-version=2018-02-01'
    return (await roundTrip(sidecar.port, request(path))).body
  }
  expect(await info()).toBe('{"tenantId":"first.example"}')
  await ask(sidecar.port, VAULT)
  await writeAtOnce(file, identities(`${orders()}, tenantId: second.example`))
  await expect.poll(info).toBe('{"tenantId":"second.example"}')
  await ask(sidecar.port, VAULT)
  const [before, after] = simulator.log.entries().slice(-2)
  expect([before?.path, after?.path]).toEqual([
    expect.stringContaining('/first.example/'),
    expect.stringContaining('/second.example/'),
  ])
})

test.each([
  ['could not be applied', new TypeError('directory is undefined')],
  ['misses another file', new ConfigError({ setting: 'WIMDS_CA_FILE', problem: 'is gone' })],
])('a reload that %s is tried again, and the same failure is reported once', async (_, failure) => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
  onTestFinished(() => void vi.useRealTimers())
  await writeAtOnce(file, identities(orders()))
  let attempts = 0
  const failures: string[] = []
  const close = watchIdentities({
    file: { path: file, text: 'another content' },
    env: { ...environmentOf(simulator), WIMDS_CONFIG: file },
    applyConfig: () => {
      attempts += 1
      if (attempts < 4) throw failure
    },
    rejectConfig: (error) => failures.push(errorMessage(error)),
  })
  const pollAgain = async () => {
    await vi.advanceTimersByTimeAsync(2000)
    return attempts
  }
  await expect.poll(pollAgain).toBe(4)
  await pollAgain()
  close()
  expect(failures).toEqual([failure.message])
  expect(attempts).toBe(4)
})

test('loads each changed text once, and each read error, until it is stopped', async () => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
  onTestFinished(() => void vi.useRealTimers())
  let text: string | undefined = 'a'
  const read: (string | undefined)[] = []
  const close = watchIdentities({
    file: { path: file, text },
    env: {},
    readText: async () => text ?? Promise.reject(new Error('ENOENT')),
    load: async (_, readText) => {
      read.push(await readText(file).catch(() => undefined))
      // The file is at fault, and not another one that it names.
      throw new ConfigError({ setting: 'WIMDS_CONFIG', problem: 'is not valid' })
    },
    applyConfig: () => {},
    rejectConfig: () => {},
  })
  await vi.advanceTimersByTimeAsync(6000)
  for (text of ['b', undefined, 'b']) await vi.advanceTimersByTimeAsync(6000)
  close()
  text = 'c'
  await vi.advanceTimersByTimeAsync(6000)
  expect(read).toEqual(['b', undefined, 'b'])
})

test('a return to the identities in use ends a failed reload', async () => {
  const withVault = identities(`${orders()}, resources: [${VAULT}]`)
  await writeAtOnce(file, withVault)
  await using sidecar = await start({ WIMDS_PREFETCH: VAULT })
  const metrics = async () => (await roundTrip(sidecar.adminPort, request('/metrics'))).body
  await writeAtOnce(file, identities(`${orders()}, resources: [https://storage.azure.com]`))
  await expect.poll(metrics).toMatch(/reload\w*success\w* 0$/m)
  await writeAtOnce(file, withVault)
  await expect.poll(metrics).toMatch(/reload\w*success\w* 1$/m)
})
