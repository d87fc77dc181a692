import { createServer } from 'node:http'
import { afterAll, expect, test } from 'vitest'
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

test('recognizes this sidecar by its instance id, even if the mode is not known', async () => {
  expect(await check({ mode: undefined })).toMatchObject({ status: 'ok' })
  for (const other of ['another', undefined]) {
    const failure = { code: 'route_to_other_service' }
    expect(await check({ mode: 'nft', instanceId: other })).toMatchObject({ failure })
  }
})

test.each<[string, Partial<Options>]>([
  ['failed', {}],
  // The redirect may exempt the uid of doctor.
  ['not_checked', { mode: 'nft', hasPassThrough: true }],
])('the route to the metadata service of the node is %s, for %j', async (status, options) => {
  await using imds = await listening(
    createServer(({ headers, url }, reply) => {
      const isImds = headers['metadata'] === 'true' && url === '/readyz'
      reply.writeHead(isImds ? 404 : 500, { Server: 'IMDS/150.870.65.1854' }).end('{}')
    }),
  )
  const outcome = await check({ ...options, origin: originOf(imds) })
  expect(outcome.status).toBe(status)
  expect(JSON.stringify(outcome)).toContain('it answered 404')
})

test('fails if nothing answers in time', async () => {
  await using silent = await listening(createServer(() => {}))
  const report = await check({ origin: originOf(silent), timeoutMs: 100 })
  expect(report).toMatchObject({ status: 'failed', failure: { code: 'route_missing' } })
})
