/** Text that tries to leave the literal or comment that it is put into. */
import * as fc from 'fast-check'
import type { Plan } from '../../../../src/tools/trust/plan.ts'
import { credential, identity, ORDERS, planWith, SUBSCRIPTION } from '../fixtures.ts'

const SIGNS = '\'"\\#|& a°@=\n\r\t\u2028\u0007'
const TEXTS = ['`id`', '$(id)', '${x}', '%{if true}', '//', '*/', '{{', ': ', '- ']
const FRAGMENTS = Array.from(SIGNS).concat(TEXTS)

/** Any text but NUL, which no argument of a program can have. */
const hostileText = fc
  .array(fc.oneof(fc.constantFrom(...FRAGMENTS), fc.string({ unit: 'grapheme', maxLength: 3 })), {
    minLength: 1,
    maxLength: 8,
  })
  .map((parts) => parts.join('').replaceAll('\0', ''))
  .filter((text) => text !== '')

const hostileTexts = fc.record({
  name: hostileText,
  group: hostileText,
  credentialName: hostileText,
  issuer: hostileText,
  subject: hostileText,
  audience: hostileText,
  source: hostileText,
})

/** A plan of one identity and credential, all of whose text is hostile. */
export const hostilePlan = hostileTexts.map((text) => ({ text, plan: createPlan(text) }))

export type HostileText = typeof hostileTexts extends fc.Arbitrary<infer T> ? Readonly<T> : never

function createPlan(text: HostileText): Plan {
  const { name, group, credentialName, issuer, subject, audience, source } = text
  const extra = { name: credentialName, issuer, subject, audiences: [audience] }
  const planned = identity({
    clientId: ORDERS,
    id: { subscription: SUBSCRIPTION, resourceGroup: group, name },
    credentials: [
      credential({ name: credentialName, issuer, subject, audience, sources: [source] }),
    ],
    extra: [extra],
  })
  return { ...planWith(planned), issuer }
}
