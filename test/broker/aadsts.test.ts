/** Tests what docs/aadsts.md, which is generated from the table, does not show. */
import { describe, expect, test } from 'vitest'
import { BrokerError, ERROR_KINDS } from '../../src/lib/errors.ts'
import { AADSTS_TABLE, explainAadsts, findAadstsPage, formatFix } from '../../src/broker/aadsts.ts'
import { findGraceMs } from '../../src/broker/tokens/grace.ts'

const CLAIMS = {
  issuer: 'https://issuer.example/',
  subject: `system:serviceaccount:shop:${'a-long-name-'.repeat(6)}`,
  audience: ['api://AzureADTokenExchange'],
}

function graceMs(aadsts: number): number {
  const { code = 'internal' } = explainAadsts(aadsts) ?? {}
  return findGraceMs(new BrokerError(code, 'no', { entra: { aadsts } }))
}

describe('explainAadsts', () => {
  test('gives a grace only to rejections of credentials and applications that may be new', () => {
    const graces = [...AADSTS_TABLE.keys()].map((number = 0) => [number, graceMs(number)] as const)
    expect(new Map(graces.filter(([, ms]) => ms > 0))).toEqual(
      new Map(
        // Federated credentials; an application, or its service principal
        [70021, 700211, 7002111, 700212, 700213, 7002131, 7002137, 70025]
          .concat([700011, 700016, 7000229])
          .map((number) => [number, 3 * 60_000]),
      ),
    )
  })

  test.each([...AADSTS_TABLE])(
    'has a fix for AADSTS%i, and a duration that fits its error code',
    (_, entry) => {
      const { permanent } = ERROR_KINDS[entry.code]
      expect(entry.passesWithinMinutes > 0 || permanent).toBe(true)
      expect(entry.passesWithinMinutes < Infinity || !permanent).toBe(true)
      // A fix has no placeholders.
      expect(formatFix(entry, CLAIMS)).not.toMatch(/[{}]|undefined|NAMESPACE/)
    },
  )

  test.each([
    [7002140, 70021],
    [7002119, 700211],
    [7002139, 700213],
  ])('explains the unlisted AADSTS%i of the family of 70021 as AADSTS%i', (number, listed) => {
    expect(explainAadsts(number)).toBe(explainAadsts(listed))
    expect(findAadstsPage(number)).toMatch(new RegExp(`#aadsts${listed}$`))
    expect(graceMs(number)).toBe(3 * 60_000)
  })

  test.each([70022, 70021391, 7002, 9003301])(
    'returns undefined for AADSTS%i: a code with more digits is another one',
    (number) => {
      expect(explainAadsts(number)).toBeUndefined()
    },
  )
})

test('formatFix names the whole issuer, subject and audience of the assertion', () => {
  const entry = explainAadsts(70025)
  expect(entry && formatFix(entry, CLAIMS)).toContain(
    `issuer ${CLAIMS.issuer}, subject ${CLAIMS.subject} and audience ${CLAIMS.audience.join()};`,
  )
})
