import { setImmediate as nextTurn } from 'node:timers/promises'
import { expect, test, vi } from 'vitest'
import { createBroker } from '../../src/broker/broker.ts'
import { createExchangeStack, type CreateSource } from '../../src/broker/exchange-stack.ts'
import { loadConfig } from '../../src/broker/config/config.ts'
import { type AssertionReader, createAssertionReader } from '../../src/broker/exchange/assertion.ts'
import { createRetryBudget } from '../../src/broker/tokens/retries.ts'
import { systemClock } from '../../src/broker/tokens/lifetime.ts'
import { BrokerError } from '../../src/lib/errors.ts'
import { Secret } from '../../src/lib/secret.ts'
import { createLogger } from '../../src/service/logger.ts'
import { readable } from './telemetry/observed.ts'
import { startWith } from './tokens/setup.ts'

const ENVIRONMENT = {
  AZURE_CLIENT_ID: '11111111-1111-4111-8111-111111111111',
  AZURE_TENANT_ID: '22222222-2222-4222-8222-222222222222',
  AZURE_FEDERATED_TOKEN_FILE: '/nowhere/token',
}

const readForever = () => new Promise<never>(() => {})

/** Creates a broker with these settings. Returns it with the lines that it logs. */
async function start(
  readAssertion: AssertionReader,
  settings: Record<string, string> = {},
  source?: CreateSource,
) {
  const config = await loadConfig({ ...ENVIRONMENT, ...settings })
  const lines: unknown[] = []
  const log = createLogger({
    level: 'info',
    out: { write: (line) => lines.push(JSON.parse(line)) > 0 },
  })
  const createSource = source ?? createExchangeStack(config)
  const parts = { config, readAssertion, createSource, log }
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

test('all brokers share the limit of running and waiting exchanges, even after the callers have hung up', async () => {
  // Waiting exchanges are rejected after half of the time limit, too.
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
  // The exchanges reach the limit once MSAL is loaded.
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
  const ignored = { region: undefined, onSkew: () => {}, onAttempt: () => {} }
  createSource({ readAssertion: readForever, timeoutMs: 60_000, ...ignored })
  await expect(loaded.promise).resolves.toBeUndefined()
})

test('a rotated projected token ends the caching of a failure', async () => {
  let { assertion } = readable
  let attempts = 0
  const refuse = () => {
    attempts += 1
    return Promise.reject(new BrokerError('policy_refused', 'no'))
  }
  const source: CreateSource = ({ timeoutMs }) =>
    startWith(refuse, { timeoutMs, clock: systemClock, budget: createRetryBudget(systemClock) })
  const broker = (await start(() => Promise.resolve(assertion), {}, source)).create()
  const { identities, tokens } = broker.createPod('a')
  const request = { identity: identities.resolve({ by: 'default' }), scope: 'a' }
  const ask = () => tokens(request, () => new AbortController().signal)
  await broker.watchAssertions()
  await expect(ask()).rejects.toThrow('no')
  assertion = { ...assertion, secret: new Secret('another') }
  await broker.watchAssertions()
  await expect(ask()).rejects.toThrow('no')
  expect(attempts).toBe(2)
  broker.close()
})
