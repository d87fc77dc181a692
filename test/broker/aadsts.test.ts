import { describe, expect, test } from 'vitest'
import { BrokerError, ERROR_KINDS, type ErrorCode } from '../../src/lib/errors.ts'
import {
  AADSTS_TABLE,
  explainAadsts,
  findAadstsUrl,
  findGraceMs,
  formatFix,
} from '../../src/broker/aadsts.ts'

const CODES: readonly (readonly [ErrorCode, readonly number[]])[] = [
  ['federated_credential_not_found', [70021, 700211, 7002111, 700213, 7002131, 7002137]],
  ['federated_credential_not_found', [70025]],
  ['federated_credential_mismatch', [700212, 7002121, 7002138]],
  ['assertion_refused', [70023, 50027, 5002723, 5002727, 5002730, 5002738, 5002741]],
  ['assertion_refused', [700027, 900384, 7000216, 7000218]],
  ['assertion_not_yet_valid', [700024]],
  ['issuer_unreachable', [7000272, 50166, 501661, 90061, 900612]],
  ['policy_refused', [700222, 700226, 700229, 700231, 700236, 700223, 700238, 7002381, 53003]],
  ['policy_refused', [50002, 500021, 500022]],
  ['application_refused', [700011, 700016, 7000229, 7000112, 700025, 90099, 100007]],
  ['tenant_refused', [90002, 900021, 900023, 90038, 900382, 900432, 900439, 900440]],
  ['tenant_refused', [50049, 5000224, 5000225]],
  ['resource_refused', [50001, 500011, 500014, 501051, 501461, 70011, 1002012]],
  ['entra_throttled', [90055, 50196]],
  ['entra_unavailable', [90033, 50033, 50087, 90006, 90012, 90024, 90090, 90091, 50000]],
]
const TABLE = CODES.flatMap(([code, numbers]) => numbers.map((number) => [number, code] as const))

describe('explainAadsts', () => {
  test.each(TABLE)('maps AADSTS%i to %s', (number, code) => {
    expect(explainAadsts(number)?.code).toBe(code)
  })

  test('has no entry that this test does not list', () => {
    const listed = new Map<number | undefined, ErrorCode>(TABLE)
    expect([...AADSTS_TABLE.keys()].filter((number) => !listed.has(number))).toEqual([])
  })

  test('looks for an unknown application in the request first, then in the configuration', () => {
    expect(explainAadsts(700016)?.fix).toMatch(
      /client_id in the request.*AZURE_CLIENT_ID.*annotation.*recreate the pods.*identities file.*tenant/,
    )
    expect(explainAadsts(90002)?.fix).toMatch(/AZURE_TENANT_ID.*annotation.*recreate the pods/)
  })

  test('knows what passes without a change, and what may be new: nothing else is permanent at once', () => {
    expect(findNumbers(isTemporary)).toEqual(
      new Set([
        // The assertion becomes valid.
        700024,
        // The issuer can be reached, and publishes the key.
        7000272, 50166, 501661, 90061, 900612,
        // Entra ID recovers.
        90055, 50196, 90033, 50033, 50087, 90006, 90012, 90024, 90090, 90091, 50000,
      ]),
    )
    expect(findNumbers(isMissing)).toEqual(
      new Set(
        [70021, 700211, 7002111, 700212, 700213, 7002131, 7002137, 70025].concat(
          // An application, or its service principal
          [700011, 700016, 7000229],
        ),
      ),
    )
  })

  test.each([...AADSTS_TABLE])('says how long AADSTS%i may last, as its code does', (_, entry) => {
    expect(entry.passesWithinMinutes > 0 || ERROR_KINDS[entry.code].permanent).toBe(true)
    expect(entry.passesWithinMinutes < Infinity || !ERROR_KINDS[entry.code].permanent).toBe(true)
  })

  test.each([
    [5002727, 'is not JWT'],
    [5002738, 'signing algorithm'],
  ])('gives AADSTS%i its own advice, and not the advice of 50027', (number, text) => {
    expect(explainAadsts(number)?.explanation).toContain(text)
  })

  test.each([
    [700210, 70021],
    [700214, 70021],
    [7002140, 70021],
    [7002119, 700211],
    [7002129, 700212],
    [7002139, 700213],
  ])('explains the unlisted AADSTS%i of the family of 70021 as AADSTS%i', (number, listed) => {
    expect(explainAadsts(number)).toBe(explainAadsts(listed))
    expect(findAadstsUrl(number)).toMatch(new RegExp(`#aadsts${listed}$`))
    const { code = 'internal' } = explainAadsts(listed) ?? {}
    const error = new BrokerError(code, 'no', { entra: { aadsts: number } })
    expect(findGraceMs(error)).toBe(3 * 60_000)
  })

  test.each([
    [900439, 'https://login.microsoftonline.us'],
    [900440, 'https://login.microsoftonline.com'],
  ])('names the login host of the cloud of the tenant for AADSTS%i', (number, host) => {
    expect(explainAadsts(number)?.fix).toContain(`AZURE_AUTHORITY_HOST to ${host}`)
  })

  test.each([
    70022, 70021391, 7002, 9003301, 500272, 53003001, 700030, 700232, 500002, 50126, 7, 0,
    123456789,
  ])('returns undefined for AADSTS%i: a code with more digits is another one', (number) => {
    expect(explainAadsts(number)).toBeUndefined()
  })
})

function findNumbers(predicate: (number: number) => boolean): ReadonlySet<number> {
  return new Set(TABLE.map(([number]) => number).filter(predicate))
}

function isTemporary(number: number): boolean {
  const found = explainAadsts(number)
  return found !== undefined && !ERROR_KINDS[found.code].permanent
}

function isMissing(number: number): boolean {
  const { code = 'internal' } = explainAadsts(number) ?? {}
  const graceMs = findGraceMs(new BrokerError(code, 'no', { entra: { aadsts: number } }))
  expect([0, 3 * 60_000]).toContain(graceMs)
  return graceMs > 0
}

describe('formatFix', () => {
  const claims = {
    issuer: 'https://issuer.example/',
    subject: 'system:serviceaccount:shop:orders',
    audience: ['api://AzureADTokenExchange'],
  }

  test('names the issuer, the subject and the audience of the assertion', () => {
    const entry = explainAadsts(70025)
    expect(entry && formatFix(entry, claims)).toBe(
      'create a federated credential with issuer https://issuer.example/, subject system:serviceaccount:shop:orders and audience api://AzureADTokenExchange; if it was created minutes ago, wait until it has propagated',
    )
  })

  test('names a service account with a long name', () => {
    const subject =
      'system:serviceaccount:shop:payments-reconciliation-worker-production-westeurope'
    const entry = explainAadsts(700213)
    expect(entry && formatFix(entry, { ...claims, subject })).toContain(`subject ${subject},`)
  })

  test.each([...AADSTS_TABLE])(
    'AADSTS%i has an explanation, and a fix without placeholders',
    (_, entry) => {
      expect(entry.explanation).toMatch(/^(?:[a-z]|Entra ID ).{15,}[^.]$/)
      expect(formatFix(entry, claims)).toMatch(/.{10,}[^.]$/)
      expect(formatFix(entry, claims)).not.toMatch(/[{}]|undefined|NAMESPACE/)
    },
  )
})
