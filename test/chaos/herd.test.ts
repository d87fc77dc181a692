import { setTimeout as sleep } from 'node:timers/promises'
import { expect, test, vi } from 'vitest'
import { ask, askUntil, slowest, storm, VAULT, verifyTokens } from './callers.ts'
import { type Sidecar, startSidecar } from './sidecar.ts'

const numbers = (count: number) => Array.from({ length: count }, (_, index) => index)
const statuses = (replies: readonly { status: number }[]) => [
  ...new Set(replies.map(({ status }) => status)),
]

/** The first exchange of a process compiles what the others find ready. */
async function warmUp(sidecar: Sidecar): Promise<void> {
  await ask(sidecar, { resource: 'https://graph.microsoft.com' })
  sidecar.world.log.clear()
}

test('200 callers of one new resource make one exchange', async () => {
  await using sidecar = await startSidecar()
  sidecar.world.faults.add({ kind: 'delay', ms: 100 })
  const replies = await storm(sidecar, { callers: 90, requests: 90 * 3 })
  expect(statuses(replies)).toEqual([200])
  expect(sidecar.world.exchanges()).toBe(1)
  await verifyTokens(sidecar, replies)
})

test('eight new resources do not wait for each other', async () => {
  await using sidecar = await startSidecar()
  await warmUp(sidecar)
  const resources = [
    VAULT,
    'https://management.azure.com',
    'https://management.core.windows.net',
    'https://storage.azure.com',
    'https://database.windows.net',
    'https://servicebus.azure.net',
    'https://eventhubs.azure.net',
    'https://cognitiveservices.azure.com',
  ]
  const delayMs = 100
  sidecar.world.faults.add({ kind: 'delay', ms: delayMs })
  const replies = await Promise.all(resources.map((resource) => ask(sidecar, { resource })))
  // One after the other they would take eight times the delay, and what an exchange takes itself.
  expect(slowest(replies)).toBeLessThan(8 * delayMs)
  expect(sidecar.world.exchanges()).toBe(8)
  for (const [index, resource] of resources.entries()) {
    await verifyTokens(sidecar, replies.slice(index, index + 1), resource)
  }
})

test('a caller that goes away takes nobody’s exchange with it', async () => {
  await using sidecar = await startSidecar()
  sidecar.world.faults.add({ kind: 'delay', ms: 150 })
  const leaving = ask(sidecar, { signal: AbortSignal.timeout(50) })
  await sleep(10)
  const staying = ask(sidecar)
  await expect(leaving).rejects.toBeDefined()
  expect((await staying).status).toBe(200)
  expect(sidecar.world.exchanges()).toBe(1)
})

test('bypass_cache in an outage costs its caller two seconds at most, and the held token stays', async () => {
  await using sidecar = await startSidecar()
  await ask(sidecar)
  sidecar.world.faults.add({ kind: 'hang' })
  sidecar.clock.pass(61_000)
  const replies = await storm(sidecar, { query: '&bypass_cache=true' })
  expect(statuses(replies)).toEqual([200])
  expect(slowest(replies)).toBeLessThan(2300)
  expect(replies.filter(({ tookMs }) => tookMs > 200).length).toBeLessThanOrEqual(1)
  await verifyTokens(sidecar, replies)
})

test('a flood of resources that do not exist delays no other caller', async () => {
  // Two cores carry callers, sidecar and Entra ID here: it is no outage when one takes a while.
  await using sidecar = await startSidecar({ timeoutMs: 5000 })
  await warmUp(sidecar)
  await ask(sidecar)
  const { world } = sidecar
  world.faults.add({ kind: 'delay', ms: 20 })
  let next = 0
  const flood = Promise.all(
    numbers(80).map(async () => {
      while (next < 1500) await ask(sidecar, { resource: `https://missing-${(next += 1)}.test` })
    }),
  )
  const beginning = performance.now()
  const held = []
  const fresh = []
  for (const resource of ['https://storage.azure.com', 'https://database.windows.net']) {
    fresh.push(await ask(sidecar, { resource }))
    held.push(...(await storm(sidecar, { requests: 8 })))
  }
  await flood
  const floodMs = performance.now() - beginning
  expect([...held, ...fresh].filter(({ status }) => status !== 200)).toEqual([])
  expect(slowest(fresh)).toBeLessThan(floodMs / 4)
  expect(next).toBeGreaterThanOrEqual(1500)
  await verifyTokens(sidecar, held)
})

test('a clock that is set back and forth brings no wrong token and no storm of exchanges', async () => {
  await using sidecar = await startSidecar()
  const { world, clock } = sidecar
  await ask(sidecar)
  for (const minutes of [-600, 45, 600, -20, 20]) {
    clock.jump(minutes * 60_000)
    await verifyTokens(sidecar, await storm(sidecar, { requests: 12 }))
  }
  expect(sidecar.errors).toEqual([])
  expect(world.exchanges()).toBeLessThanOrEqual(4)
})

test('a machine that sleeps again and again hands out no token that ran out meanwhile', async () => {
  await using sidecar = await startSidecar()
  const { world, clock } = sidecar
  await ask(sidecar)
  for (const minutes of [20, 20, 20, 20, 600]) {
    clock.sleep(minutes * 60_000)
    await world.rotateToken()
    await verifyTokens(sidecar, await storm(sidecar, { requests: 12 }))
    await sidecar.settled()
  }
  expect(sidecar.errors).toEqual([])
  expect(world.exchanges()).toBeLessThanOrEqual(6)
})

test('an exchange that the machine slept through hands out nothing that is over', async () => {
  await using sidecar = await startSidecar()
  const { world, clock } = sidecar
  world.faults.add({ kind: 'delay', ms: 100, times: 1 })
  const asked = ask(sidecar)
  await vi.waitFor(() => expect(world.faults.list()).toEqual([]))
  clock.sleep(600 * 60_000)
  await world.rotateToken()
  await asked
  const replies = await askUntil(sidecar, ({ status }) => status === 200)
  await verifyTokens(sidecar, replies.slice(-1))
})
