import { execFileSync } from 'node:child_process'
import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { formatAzScript } from '../../../../src/tools/trust/output/az.ts'
import type { Plan } from '../../../../src/tools/trust/plan.ts'
import {
  AUDIENCE,
  BILLING,
  credential,
  existingFor,
  identity,
  ISSUER,
  ORDERS,
  ORDERS_ID,
  planWith,
} from '../fixtures.ts'

/** A fake of az and of sleep. It prints its name and arguments, each ended by NUL, and then a NUL. */
const RECORDER = String.raw`
az() { printf '%s\0' az "$@"; printf '\0'; }
sleep() { printf '%s\0' sleep "$@"; printf '\0'; }
`

/** Runs the script in bash. Returns the calls of az and sleep, in their order. */
function run(plan: Plan): string[][] {
  const input = RECORDER + formatAzScript(plan)
  const output = execFileSync('bash', ['-s'], { input, env: {}, encoding: 'utf8' })
  return output
    .split('\0\0')
    .slice(0, -1)
    .map((call) => call.split('\0'))
}

const SUBJECT = 'system:serviceaccount:shop:orders'
const OLD = existingFor('system:serviceaccount:shop:old', { name: 'old' })
const OF_ORDERS = ['--identity-name', 'orders', '--resource-group', 'shop']
const IN_SUBSCRIPTION = ['--subscription', ORDERS_ID.subscription]
const NO_OUTPUT = ['--output', 'none']
const VALUES = ['--issuer', ISSUER, '--subject', SUBJECT, '--audiences', AUDIENCE]
const write = (verb: string, name: string) =>
  `az identity federated-credential ${verb} --name ${name}`
    .split(' ')
    .concat(OF_ORDERS, IN_SUBSCRIPTION, VALUES, NO_OUTPUT)

test('writes missing and different credentials of an identity one after the other, with a pause', () => {
  const credentials = (['present', 'missing', 'different'] as const).map((state) =>
    credential({ name: state, state }),
  )
  const plan = planWith(
    identity({ id: ORDERS_ID, credentials, extra: [OLD] }),
    identity({ id: ORDERS_ID }),
  )
  expect(run(plan)).toEqual([
    write('create', 'missing'),
    ['sleep', '4'],
    write('update', 'different'),
    write('create', 'wimds-shop-orders-0a1b2c3d'),
  ])
  expect(formatAzScript(plan)).toContain(
    `#   az identity federated-credential delete ${[...OF_ORDERS, ...IN_SUBSCRIPTION].join(' ')} --name old\n`,
  )
})

const writeForApp = (verb: string, flags: string, parameters: object) =>
  `az ad app federated-credential ${verb} --id ${ORDERS}${flags} --parameters`
    .split(' ')
    .concat(JSON.stringify(parameters), NO_OUTPUT)

test('writes the credentials of an application without a pause', () => {
  const credentials = [credential(), credential({ name: 'by-hand', state: 'different' })]
  const plan = planWith(identity({ credentials, extra: [OLD] }, 'application'))
  const values = { issuer: ISSUER, subject: SUBJECT, audiences: [AUDIENCE] }
  expect(run(plan)).toEqual([
    writeForApp('create', '', { name: 'wimds-shop-orders-0a1b2c3d', ...values }),
    writeForApp('update', ' --federated-credential-id by-hand', values),
  ])
  expect(formatAzScript(plan)).toContain(
    `#   az ad app federated-credential delete --id ${ORDERS} --federated-credential-id old\n`,
  )
})

test('writes nothing for an unnamed identity, and only shows how to make room for one over the limit', () => {
  const plan = planWith(
    identity({ clientId: BILLING }),
    identity({ id: ORDERS_ID, isOverLimit: true, count: 23, extra: [OLD] }),
  )
  expect(run(plan)).toEqual([])
  expect(formatAzScript(plan)).toContain('it would have 23 of 20 credentials')
  expect(formatAzScript(plan)).toMatch(/^# {3}az identity federated-credential delete .* old$/m)
  expect(formatAzScript(plan)).not.toContain(BILLING)
})

/** Texts that may end a literal or a comment. No argument of a program can have a NUL. */
const FRAGMENTS = Array.from('\'"\\#|& a°@=\n\r\t\u2028\u0007').concat(
  '`id`',
  '$(id)',
  '${x}',
  '//',
)
const hostile = fc
  .array(fc.oneof(fc.constantFrom(...FRAGMENTS), fc.string({ unit: 'grapheme', maxLength: 3 })), {
    minLength: 1,
    maxLength: 8,
  })
  .map((parts) => parts.join('').replaceAll('\0', '') || '-')

test('the script passes any text to az unchanged, and runs no part of it', () => {
  fc.assert(
    fc.property(fc.tuple(hostile, hostile, hostile, hostile, hostile, hostile), (texts) => {
      const [name, resourceGroup, issuer, subject, audience, source] = texts
      const planned = credential({ name, issuer, subject, audience, sources: [source] })
      const id = { ...ORDERS_ID, name, resourceGroup }
      const extra = [existingFor(subject, { name, issuer })]
      const expected = 'az identity federated-credential create --name'
        .split(' ')
        .concat(name, '--identity-name', name, '--resource-group', resourceGroup, IN_SUBSCRIPTION)
        .concat('--issuer', issuer, '--subject', subject, '--audiences', audience, NO_OUTPUT)
      const plan = planWith(identity({ id, credentials: [planned], extra }))
      expect(run({ ...plan, issuer })).toEqual([expected])
    }),
    { numRuns: 25 },
  )
})
