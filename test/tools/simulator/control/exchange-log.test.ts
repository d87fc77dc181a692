import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { expect, test } from 'vitest'
import { createExchangeLog } from '../../../../src/tools/simulator/control/exchange-log.ts'

const exchange = (clientId: string, resource = 'https://vault.azure.net') => ({
  at: '2026-11-24T12:00:00.000Z',
  target: 'token' as const,
  method: 'POST',
  path: '/t/oauth2/v2.0/token',
  clientId,
  resource,
  outcome: 400,
  durationMs: 1,
})

setFlagsFromString('--expose-gc')
const collectGarbage: () => void = runInNewContext('gc')

function heapMegabytes(): number {
  collectGarbage()
  return process.memoryUsage().heapUsed / 1e6
}

test('the log truncates long texts and keeps no reference to the form', () => {
  const log = createExchangeLog()
  const before = heapMegabytes()
  for (let turn = 0; turn < 3000; turn += 1) {
    // Slices of a form of 60 kB, as a parser returns them.
    const form = `${turn}=${'x'.repeat(30_000)}&${'y'.repeat(30_000)}`
    log.record(exchange(form.slice(0, 30_000), form.slice(30_000)))
    log.record(exchange(form.slice(0, 20)))
  }
  expect(heapMegabytes() - before).toBeLessThan(10)
  const [last] = log.entries().slice(-2)
  expect(last?.clientId).toMatch(/^2999=x{250}…$/)
  expect(last?.resource).toHaveLength(256)
})

test('the log counts at most 1000 client ids separately', () => {
  const log = createExchangeLog()
  for (const id of ['toString', 'constructor', 'toString']) log.record(exchange(id))
  expect(log.counters().byClientId).toEqual({ toString: 2, constructor: 1 })
  for (let turn = 2; turn < 1100; turn += 1) log.record(exchange(`id-${turn}`))
  for (const id of ['id-2', '__proto__']) log.record(exchange(id))
  const { byClientId, total } = log.counters()
  expect(total).toBe(1103)
  expect(byClientId['id-2']).toBe(2)
  expect(byClientId['id-999']).toBe(1)
  expect(byClientId['others']).toBe(101)
  expect(Object.keys(byClientId)).toHaveLength(1001)
})
