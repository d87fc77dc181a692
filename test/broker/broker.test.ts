import { setImmediate as nextTurn } from 'node:timers/promises'
import { expect, test, vi } from 'vitest'
import { createBroker } from '../../src/broker/broker.ts'
import { createExchangeStack } from '../../src/broker/exchange-stack.ts'
import { loadConfig } from '../../src/broker/config/config.ts'
import { type AssertionReader, createAssertionReader } from '../../src/broker/exchange/assertion.ts'
import { createLogger } from '../../src/service/logger.ts'

const ENVIRONMENT = {
  AZURE_CLIENT_ID: '11111111-1111-4111-8111-111111111111',
  AZURE_TENANT_ID: '22222222-2222-4222-8222-222222222222',
  AZURE_FEDERATED_TOKEN_FILE: '/nowhere/token',
}

const readForever = () => new Promise<never>(() => {})

/** Creates a broker of the settings, and the lines that it logs. */
async function start(readAssertion: AssertionReader, settings: Record<string, string> = {}) {
  const config = await loadConfig({ ...ENVIRONMENT, ...settings })
  const lines: unknown[] = []
  const log = createLogger({
    level: 'info',
    out: { write: (line) => lines.push(JSON.parse(line)) > 0 },
  })
  const parts = { config, readAssertion, createSource: createExchangeStack(config), log }
  return { lines, create: () => createBroker(parts) }
}

test('logs why a reload has failed, with the stack of an unexpected error', async () => {
  const { lines, create } = await start(createAssertionReader())
  const broker = create()
  broker.rejectConfig(new TypeError('directory is undefined'))
  expect(lines).toMatchObject([
    {
      event: 'config_reload_failed',
      code: 'internal',
      cause: expect.stringMatching(/TypeError: directory is undefined\n +at /),
    },
  ])
  broker.close()
})

test('limits the exchanges of all brokers that run and wait, after their callers have hung up too', async () => {
  // Those that wait are rejected after half of the time limit, too.
  const settings = { WIMDS_MAX_CONNECTIONS: '4', WIMDS_EXCHANGE_TIMEOUT: '60s' }
  const { lines, create } = await start(readForever, settings)
  const [first, second] = [create(), create()]
  for (let scope = 1; scope <= 29; scope += 1) {
    const pod = (scope <= 15 ? first : second).createPod(String(scope))
    const identity = pod.identities.resolve({ by: 'default' })
    pod.tokens({ identity, scope: String(scope) }, () => AbortSignal.abort()).catch(() => {})
    await nextTurn()
  }
  // Three quarters of the 32 run, and three quarters of the connections wait.
  const overloaded = expect.objectContaining({
    event: 'exchange_failed',
    code: 'overloaded',
    message: expect.stringContaining('too many exchanges with Entra ID are running'),
  })
  // They reach the limit when MSAL is loaded.
  await vi.waitFor(() => expect(lines).toEqual([overloaded, overloaded]), 60_000)
  first.close()
  second.close()
})

test('loads the exchange before the first request, since that takes long', async () => {
  const config = await loadConfig(ENVIRONMENT)
  const loaded = Promise.withResolvers<void>()
  const exchange = {
    ...config.exchange,
    get extraCa() {
      loaded.resolve()
      return undefined
    },
  }
  const createSource = createExchangeStack({ ...config, exchange })
  createSource({ readAssertion: readForever, timeoutMs: 60_000 })
  await expect(loaded.promise).resolves.toBeUndefined()
})
