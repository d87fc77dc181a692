/** What a refusal says of the Conditional Access policies that block the identity. */
import { afterEach, beforeEach, expect, test } from 'vitest'
import { toBrokerError } from '../../src/errors.ts'
import { createAssertionReader } from '../../src/exchange/assertion.ts'
import { createEntraExchange } from '../../src/exchange/entra.ts'
import { createSimulator, type Simulator } from '../../src/simulator/simulator.ts'
import { systemClock } from '../../src/tokens/clock.ts'

const policy = (index: number) => `cccccccc-cccc-4ccc-8ccc-${String(index).padStart(12, '0')}`

let world: Simulator
beforeEach(async () => {
  world = await createSimulator({ ports: false })
})
afterEach(() => world.close())

async function refused(): Promise<{ readonly code: string; readonly message: string }> {
  const exchange = createEntraExchange({
    readAssertion: createAssertionReader({}),
    dispatcher: world.dispatcher,
    clock: systemClock,
    timeoutMs: 2000,
  })
  const { clientId, tenantId, authorityHost, tokenFile } = world
  const identity = { name: 'orders', clientId, tenantId, authorityHost, tokenFile, prefetch: [] }
  return exchange({ identity, scope: 'https://vault.azure.net/.default' }).then(
    () => expect.unreachable('a token came'),
    toBrokerError,
  )
}

/** Has Entra ID answer a block with these claims. */
function blockWith(claims: unknown): void {
  const body = {
    error: 'invalid_grant',
    error_description: 'AADSTS53003: Access has been blocked.',
    error_codes: [53003],
    claims,
  }
  world.faults.add({ kind: 'status', status: 400, body: JSON.stringify(body) })
}

const claimsOf = (values: unknown) =>
  JSON.stringify({ access_token: { capolids: { essential: true, values } } })

test('names the policy that blocks, between what Entra ID says and what to do', async () => {
  const [application] = world.directory.applications
  if (application === undefined) throw new Error('the world has no application')
  application.blockedByPolicy = policy(1)
  const { code, message } = await refused()
  expect(code).toBe('policy_refused')
  expect(message).toMatch(
    /^AADSTS53003: .* \(Conditional Access policy cccccccc-cccc-4ccc-8ccc-000000000001\) → have /s,
  )
})

test('names each of several once', async () => {
  blockWith(claimsOf([policy(1), policy(2), policy(1)]))
  expect((await refused()).message).toContain(
    `blocked. (Conditional Access policy ${policy(1)}, ${policy(2)}) → have`,
  )
})

test('names five at most and counts the others', async () => {
  blockWith(claimsOf(Array.from({ length: 5000 }, (_, index) => policy(index))))
  const { message } = await refused()
  expect(message).toContain(`${policy(4)} and 4995 more)`)
  expect(message).not.toContain(policy(5))
})

test.each([
  ['no JSON', '{"access_token":'],
  ['no text', { access_token: { capolids: { values: [policy(1)] } } }],
  ['other claims', JSON.stringify({ access_token: { xms_cc: { values: ['cp1'] } } })],
  ['null', 'null'],
  ['values that are no list', claimsOf('all')],
  ['no values', claimsOf([])],
  ['ids that are no GUIDs', claimsOf(['eyJhbGciOiJub25lIn0.e30.x', 'a policy', 7, null])],
])('says what it always says when the claims are %s', async (_, claims) => {
  blockWith(undefined)
  const { message } = await refused()
  world.faults.clear()
  blockWith(claims)
  expect(await refused()).toMatchObject({ code: 'policy_refused', message })
})
