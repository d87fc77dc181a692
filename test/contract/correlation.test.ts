import { expect, test } from 'vitest'
import { createAssertionReader } from '../../src/sidecar/exchange/assertion.ts'
import { createEntraExchange } from '../../src/sidecar/exchange/entra.ts'
import { createSimulator, type Simulator } from '../../src/tools/simulator/simulator.ts'
import { systemClock } from '../../src/sidecar/tokens/clock.ts'
import { TokenCache } from '../../src/sidecar/tokens/token-cache.ts'
import { createExchangeSource, type ExchangeEvent } from '../../src/sidecar/tokens/token-sources.ts'
import { createCacheRequest } from '../../src/sidecar/tokens/token.ts'

const GUID = '4bf92f35-77b3-4da6-a3ce-929d0e0e4736'

function stackOn(simulator: Simulator) {
  const events: ExchangeEvent[] = []
  const exchange = createEntraExchange({
    readAssertion: createAssertionReader({}),
    dispatcher: simulator.dispatcher,
    clock: systemClock,
  })
  const source = createExchangeSource(() => Promise.resolve(exchange), {
    loadDelayMs: 0,
    maxConcurrent: 4,
    timeoutMs: 60_000,
    clock: systemClock,
    onExchange: (event) => events.push(event),
  })
  const cache = new TokenCache(source, { maxEntries: 10 })
  const { tenantId, clientId, authorityHost, tokenFile } = simulator
  const identity = { name: 'orders', tenantId, clientId, authorityHost, tokenFile, prefetch: [] }
  const request = createCacheRequest(identity, 'https://vault.azure.net/.default')
  return { cache, get: cache.createGet(Infinity), request, events }
}

const sentIds = (simulator: Simulator) =>
  simulator.log
    .entries()
    .filter(({ target }) => target === 'token')
    .map(({ correlationId }) => correlationId)

test('an exchange has the correlation id of the request that started it', async () => {
  await using simulator = await createSimulator({ ports: false })
  const { cache, get, request, events } = stackOn(simulator)
  await get({ ...request, correlationId: GUID })
  await get({ ...request, correlationId: GUID.replace('4', '5') })
  cache.close()
  expect(sentIds(simulator)).toEqual([GUID])
  expect(events.map(({ request: { correlationId } }) => correlationId)).toEqual([GUID])
})

test('an exchange without a correlation id gets a new one, which is reported', async () => {
  await using simulator = await createSimulator({ ports: false })
  const { cache, get, request, events } = stackOn(simulator)
  await get(request)
  await get(createCacheRequest(request.identity, 'https://storage.azure.com/.default'))
  cache.close()
  const [first, second] = sentIds(simulator)
  expect(first).toMatch(/^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/)
  expect(first).not.toBe(second)
  expect(events.map(({ request: { correlationId } }) => correlationId)).toEqual([first, second])
})

test('a rejection has the ids of Entra ID for a support ticket', async () => {
  await using simulator = await createSimulator({ ports: false })
  const { cache, get, request } = stackOn(simulator)
  simulator.faults.add({ kind: 'aadsts', code: 700016 })
  const rejected = get({ ...request, correlationId: GUID })
  await expect(rejected).rejects.toMatchObject({
    entra: {
      aadsts: 700016,
      correlationId: GUID,
      traceId: expect.stringMatching(/^[0-9a-f-]{36}$/),
    },
  })
  cache.close()
})
