import { mkdir, rename, rm } from 'node:fs/promises'
import { dirname } from 'node:path'
import { describe, expect, test } from 'vitest'
import type { ErrorCode } from '../../src/errors.ts'
import { createAssertionReader } from '../../src/exchange/assertion.ts'
import { ask, askUntil, storm, verifyTokens } from './callers.ts'
import { type Sidecar, startSidecar } from './sidecar.ts'

const MINUTE_MS = 60_000

type Change = (sidecar: Sidecar) => Promise<unknown>

/** What befalls the projected token, what it is called, and how it is put right. */
const TROUBLES: readonly [string, ErrorCode, Change, Change][] = [
  [
    'it is absent for a while',
    'assertion_missing',
    ({ world }) => rename(dirname(world.tokenFile), `${dirname(world.tokenFile)}-gone`),
    ({ world }) => rename(`${dirname(world.tokenFile)}-gone`, dirname(world.tokenFile)),
  ],
  ['it is empty', 'assertion_empty', ({ world }) => world.writeToken('\n'), renewed],
  [
    'it is no JWT',
    'assertion_malformed',
    ({ world }) => world.writeToken('{"not":"a JWT"}'),
    renewed,
  ],
  ['it is huge', 'assertion_malformed', ({ world }) => world.writeToken('a'.repeat(9e6)), renewed],
  [
    'a directory is in its place',
    'assertion_unreadable',
    async ({ world }) => {
      await rm(world.tokenFile)
      await rename(dirname(world.tokenFile), `${dirname(world.tokenFile)}-kept`)
      await mkdir(world.tokenFile, { recursive: true })
    },
    async ({ world }) => {
      await rm(dirname(world.tokenFile), { recursive: true })
      await rename(`${dirname(world.tokenFile)}-kept`, dirname(world.tokenFile))
      await world.rotateToken()
    },
  ],
  [
    'it has expired',
    'assertion_expired',
    ({ world, clock }) => {
      const now = Math.floor(clock.wall() / 1000)
      return world.rotateToken({ claims: { iat: now - 7200, nbf: now - 7200, exp: now - 3600 } })
    },
    renewed,
  ],
  [
    'it is a Kubernetes API token',
    'assertion_audience',
    ({ world }) => world.rotateToken({ audience: 'https://kubernetes.default.svc' }),
    renewed,
  ],
  [
    'its audience is another',
    'federated_credential_mismatch',
    ({ world }) => world.rotateToken({ audience: 'vault' }),
    renewed,
  ],
  [
    'its subject is another',
    'trust_propagating',
    ({ world }) => world.rotateToken({ serviceAccount: 'default' }),
    renewed,
  ],
]

function renewed({ world }: Sidecar): Promise<void> {
  return world.rotateToken()
}

describe('trouble with the projected token has a name, and ends by itself when', () => {
  test.each(TROUBLES)('%s (%s)', async (_, code, harm, mend) => {
    await using sidecar = await startSidecar()
    await harm(sidecar)
    const replies = await storm(sidecar, { requests: 12 })
    expect(replies.every(({ status }) => status >= 400)).toBe(true)
    expect(new Set(sidecar.errors.map((error) => error.code))).toEqual(new Set([code]))
    expect(sidecar.world.exchanges()).toBeLessThanOrEqual(3)
    await mend(sidecar)
    const recovery = await askUntil(sidecar, ({ status }) => status === 200)
    await verifyTokens(sidecar, recovery.slice(-1))
  })

  test.each(TROUBLES)('%s, unnoticed while a valid token is held', async (_, code, harm, mend) => {
    await using sidecar = await startSidecar()
    const { world, clock, renewalFailures } = sidecar
    const first = await ask(sidecar)
    await harm(sidecar)
    clock.pass(45 * MINUTE_MS)
    const replies = await storm(sidecar)
    expect(replies.every(({ status }) => status === 200)).toBe(true)
    await verifyTokens(sidecar, replies)
    await mend(sidecar)
    const isNew = ({ body }: { body: Readonly<Record<string, string>> }) =>
      body['access_token'] !== first.body['access_token']
    await verifyTokens(sidecar, (await askUntil(sidecar, isNew)).slice(-1))
    expect(renewalFailures[0]?.error.code).toBe(code)
    expect(world.exchanges()).toBeLessThanOrEqual(8)
  })
})

test('rotations like the kubelet’s are never met half-way', async () => {
  await using sidecar = await startSidecar()
  const { world } = sidecar
  const read = createAssertionReader()
  const end = new AbortController()
  const rotating = (async () => {
    let rotations = 0
    for (; !end.signal.aborted; rotations += 1) await world.rotateToken()
    return rotations
  })()
  const seen = new Set<string>()
  for (let look = 0; look < 300; look += 1) {
    seen.add((await read(world.tokenFile)).secret.sha256())
  }
  end.abort()
  expect(await rotating).toBeGreaterThan(3)
  expect(seen.size).toBeGreaterThan(3)
})
