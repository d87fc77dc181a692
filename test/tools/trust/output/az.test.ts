import { execFileSync } from 'node:child_process'
import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { formatAzScript } from '../../../../src/tools/trust/output/az.ts'
import type { Plan } from '../../../../src/tools/trust/plan.ts'
import {
  AUDIENCE,
  BILLING,
  credential,
  identity,
  ISSUER,
  ORDERS,
  ORDERS_ID,
  planWith,
} from '../fixtures.ts'
import { hostilePlan, type HostileText } from './hostile.ts'

/** Stands for az and sleep: prints its name and arguments, each ended by NUL, and a NUL. */
const RECORDER = String.raw`
az() { printf '%s\0' az "$@"; printf '\0'; }
sleep() { printf '%s\0' sleep "$@"; printf '\0'; }
`

/** Runs the script in bash. Returns the calls of az and sleep, in their order. */
function run(plan: Plan, env: Readonly<Record<string, string>> = {}): string[][] {
  const script = RECORDER + formatAzScript(plan)
  const output = execFileSync('bash', ['-s'], { input: script, env, encoding: 'utf8' })
  return output
    .split('\0\0')
    .slice(0, -1)
    .map((call) => call.split('\0'))
}

/** Returns the call of az that creates a credential. */
const createCall = ({ credentialName, name, group, issuer, subject, audience }: CallValues) =>
  [
    ['az', 'identity', 'federated-credential', 'create', '--name', credentialName],
    ['--identity-name', name, '--resource-group', group],
    ['--subscription', ORDERS_ID.subscription],
    ['--issuer', issuer, '--subject', subject, '--audiences', audience, '--output', 'none'],
  ].flat()

type CallValues = Omit<HostileText, 'source'>

test('writes the credentials of one identity one after the other, with a pause', () => {
  const three = ['a', 'b', 'c'].map((name) => credential({ name: `wimds-${name}` }))
  const calls = run(
    planWith(
      identity({ id: ORDERS_ID, credentials: three }),
      identity({ clientId: BILLING, id: { ...ORDERS_ID, name: 'billing' } }),
    ),
  )
  expect(calls.map(([program, , , , , name]) => [program, name])).toEqual([
    ['az', 'wimds-a'],
    ['sleep', undefined],
    ['az', 'wimds-b'],
    ['sleep', undefined],
    ['az', 'wimds-c'],
    ['az', 'wimds-shop-orders-0a1b2c3d'],
  ])
  expect(calls[1]).toEqual(['sleep', '4'])
})

test('writes missing and different credentials, and none that is present or extra', () => {
  const credentials = [
    credential({ name: 'wimds-present', state: 'present' }),
    credential({ name: 'wimds-missing', state: 'missing' }),
    credential({ name: 'wimds-different', state: 'different' }),
  ]
  const extra = [{ name: 'old', issuer: ISSUER, subject: 'x', audiences: [AUDIENCE] }]
  const plan = planWith(identity({ id: ORDERS_ID, credentials, extra }))
  expect(run(plan).map((call) => call.slice(0, 6))).toEqual([
    ['az', 'identity', 'federated-credential', 'create', '--name', 'wimds-missing'],
    ['sleep', '4'],
    ['az', 'identity', 'federated-credential', 'update', '--name', 'wimds-different'],
  ])
  expect(formatAzScript(plan)).toContain(
    `#   az identity federated-credential delete --identity-name orders --resource-group shop --subscription ${ORDERS_ID.subscription} --name old`,
  )
})

test('creates and updates the credentials of an application', () => {
  const credentials = [credential(), credential({ name: 'by-hand', state: 'different' })]
  const [create = [], update = [], ...more] = run(
    planWith(identity({ credentials }, 'application')),
  )
  const values = {
    issuer: ISSUER,
    subject: 'system:serviceaccount:shop:orders',
    audiences: [AUDIENCE],
  }
  expect(create.slice(0, 7).join(' ')).toBe(`az ad app federated-credential create --id ${ORDERS}`)
  expect(JSON.parse(create[8] ?? '')).toEqual({ name: 'wimds-shop-orders-0a1b2c3d', ...values })
  expect(update.slice(4, 9).join(' ')).toBe(
    `update --id ${ORDERS} --federated-credential-id by-hand`,
  )
  expect(JSON.parse(update[10] ?? '')).toEqual(values)
  expect(more).toEqual([])
})

test('leaves out a managed identity whose name is not known', () => {
  expect(run(planWith(identity()))).toEqual([])
})

test('writes nothing for an identity over the limit, but says how to delete its extra credentials', () => {
  const extra = [{ name: 'old', issuer: ISSUER, subject: 'x', audiences: [AUDIENCE] }]
  const plan = planWith(identity({ id: ORDERS_ID, isOverLimit: true, count: 23, extra }))
  expect(run(plan)).toEqual([])
  const script = formatAzScript(plan)
  expect(script).toContain('# Nothing to write: it would have 23 of 20 credentials.\n')
  expect(script).toMatch(/^# {3}az identity federated-credential delete .* --name old$/m)
})

test('passes any text to az as it is, and runs nothing else', () => {
  fc.assert(
    fc.property(hostilePlan, ({ text, plan }) => {
      expect(run(plan)).toEqual([createCall(text)])
    }),
    { numRuns: 50 },
  )
})
