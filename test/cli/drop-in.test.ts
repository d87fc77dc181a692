/** The command line of the azure-workload-identity proxy. */
import { createServer } from 'node:http'
import { expect, test } from 'vitest'
import { dropIn } from '../../src/cli/drop-in.ts'
import { VERSION } from '../../src/lib/version.ts'
import { createSimulator } from '../../src/tools/simulator/simulator.ts'
import { request, roundTrip } from '../fixtures/connection.ts'
import { listening } from '../fixtures/listening.ts'
import { freePort } from '../support/free-port.ts'
import { captureIo } from '../tools/capture.ts'

/** Starts a proxy that is not ready for the first `failures` requests. */
function proxy(failures = 0) {
  let left = failures
  return listening(createServer((_, reply) => reply.writeHead(left-- > 0 ? 503 : 200).end()))
}

test.each([['-version'], ['--version=true'], ['-v']])('%s prints the version', async (flag) => {
  const io = captureIo()
  expect(await dropIn([flag], io)).toBe(0)
  expect(io.out()).toContain(VERSION)
})

test('--probe polls the port of --proxy-port until it is ready', async () => {
  await using server = await proxy(1)
  const flags = [`--proxy-port=${server.port}`, '--probe', '--log-level=info']
  expect(await dropIn(flags, captureIo())).toBe(0)
})

test('the default port is 8000, as in the azure-workload-identity proxy', async () => {
  const io = { ...captureIo(), signal: AbortSignal.abort() }
  expect(await dropIn(['--probe'], io)).toBe(1)
  expect(io.err()).toContain('127.0.0.1:8000.')
})

test('without --probe it serves, and names the missing variables', async () => {
  const running = dropIn(['--proxy-port=8000', '--log-level=trace', '--probe=false'], captureIo())
  await expect(running).rejects.toThrow(/AZURE_TENANT_ID.*missing/)
})

test('turns the flags into valid settings, without an admin port', async () => {
  const io = captureIo({ WIMDS_MAX_CONNECTIONS: 'x' })
  const running = dropIn(['--proxy-port=65535', '--log-level='], io)
  // The error is only about the invalid variable above.
  await expect(running).rejects.toThrow(
    expect.objectContaining({ message: expect.not.stringMatching(/LISTEN|LOG_LEVEL/) }),
  )
})

test('answers token requests of any api-version, as the azure-workload-identity proxy does', async () => {
  await using simulator = await createSimulator()
  const port = await freePort()
  const ending = new AbortController()
  const env = { ...simulator.settings, WIMDS_EXCHANGE_TIMEOUT: '60s' }
  const io = { ...captureIo(env), signal: ending.signal }
  const running = dropIn([`--proxy-port=${port}`], io)
  expect(await dropIn(['--probe', `--proxy-port=${port}`], captureIo())).toBe(0)
  for (const version of ['', '&api-version=2017-09-01', '&api-version=2017-12-01']) {
    const path = `/metadata/identity/oauth2/token?resource=https://vault.azure.net${version}`
    expect((await roundTrip(port, request(path))).status).toBe(200)
  }
  ending.abort()
  expect(await running).toBe(0)
})

test.each([
  [['--log-level=loud'], '--log-level must be'],
  [['--proxy-port=0'], '--proxy-port must be a whole number from 1 to 65535, not "0"'],
  [['--probe', 'serve'], 'serve is not a command'],
  [['--metrics-addr=:1'], '--metrics-addr is not a flag'],
])('%s is bad usage', async (flags, reason) => {
  const message = expect.stringContaining(reason)
  await expect(dropIn(flags, captureIo())).rejects.toMatchObject({ name: 'UsageError', message })
})
