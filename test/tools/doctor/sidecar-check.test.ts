import { createServer } from 'node:http'
import { afterAll, describe, expect, test } from 'vitest'
import { checkRoute } from '../../../src/tools/doctor/sidecar-check.ts'
import { createSimulator } from '../../../src/tools/simulator/simulator.ts'
import { listening } from '../../fixtures/listening.ts'
import { environmentOf, startServe } from '../../fixtures/served.ts'

const simulator = await createSimulator()
afterAll(() => simulator.close())
const sidecar = await startServe(environmentOf(simulator))
afterAll(() => sidecar.stop())
const origin = `http://127.0.0.1:${sidecar.port}`
const { instanceId }: { instanceId: string } = JSON.parse(
  await (await fetch(`${origin}/readyz`)).text(),
)

type Options = Parameters<typeof checkRoute>[0]

const PARTS = { hasPassThrough: false, timeoutMs: 60_000 }

/** Checks the route to this sidecar in mode loopback, unless the options say otherwise. */
const check = (options: Partial<Options>) =>
  checkRoute({ ...PARTS, mode: 'loopback', instanceId, origin, ...options })

const originOf = ({ port }: { readonly port: number }) => `http://127.0.0.1:${port}`

test('recognizes this sidecar by its id, also if the mode is not known', async () => {
  expect(await check({ mode: undefined })).toMatchObject({ status: 'ok' })
  for (const other of ['another', undefined]) {
    const failure = { code: 'route_to_other_service' }
    expect(await check({ mode: 'nft', instanceId: other })).toMatchObject({ failure })
  }
})

/** A metadata service that answers like the service of an Azure node. */
const nodeImds = () =>
  listening(
    createServer(({ headers, url }, reply) => {
      const isImds = headers['metadata'] === 'true' && url === '/readyz'
      reply.writeHead(isImds ? 404 : 500, { Server: 'IMDS/150.870.65.1854' }).end('{}')
    }),
  )

describe('with a metadata service of the node', () => {
  test('fails', async () => {
    await using server = await nodeImds()
    expect(await check({ origin: originOf(server) })).toMatchObject({
      status: 'failed',
      failure: {
        code: 'route_to_other_service',
        problem: expect.stringContaining('it answered 404'),
        fix: expect.stringContaining('wimds-redirect'),
      },
    })
  })

  test.each([
    ['pass-through exempts the uid of doctor', { mode: 'nft', hasPassThrough: true } as const],
    ['the mode is not known', { mode: undefined, hasPassThrough: false } as const],
  ])('is undecided if %s', async (_, options) => {
    await using server = await nodeImds()
    const report = await check({ ...options, origin: originOf(server) })
    expect(report).toMatchObject({ status: 'not_checked' })
    expect(report).not.toHaveProperty('failure')
  })
})

test('fails if nothing answers in time', async () => {
  await using silent = await listening(createServer(() => {}))
  const report = await check({ origin: originOf(silent), timeoutMs: 100 })
  expect(report).toMatchObject({ status: 'failed', failure: { code: 'route_missing' } })
})
