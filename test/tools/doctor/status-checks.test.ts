import { describe, expect, test } from 'vitest'
import type { StatusDocument } from '../../../src/broker/telemetry/status-schema.ts'
import { checkStatus } from '../../../src/tools/doctor/status-checks.ts'
import { aStatus } from '../../fixtures/status.ts'

const check = (overrides: Partial<StatusDocument> = {}) => {
  const findings = checkStatus(aStatus(overrides))
  return (name: string) => findings.filter((finding) => finding.check === name)
}

const NOT_FOUND = {
  code: 'federated_credential_not_found',
  message: 'AADSTS700213: No matching federated identity record found',
  fix: 'create it',
  aadsts: 700213,
}

/** Returns the tokens of the status with these values, without the cached one. */
const tokensWith = (changes: Partial<StatusDocument['tokens'][number]>) =>
  aStatus().tokens.map((token) => ({ ...token, cached: undefined, ...changes }))

test('a failed exchange has the meaning of its code, and a warning before its commands', () => {
  const [exchange] = check({ tokens: tokensWith({ failure: NOT_FOUND }) })('token_exchange')
  expect(exchange).toMatchObject({
    subject: 'orders → https://vault.azure.net',
    status: 'failed',
    failure: { code: NOT_FOUND.code, aadsts: 700213, fix: 'create it' },
  })
  expect(exchange?.warnings).toEqual([expect.stringContaining('may have chosen the client id')])
})

/** Returns the commands after Entra ID found no credential. */
const commandsWith = (overrides: Partial<StatusDocument>) =>
  check({ tokens: tokensWith({ failure: NOT_FOUND }), ...overrides })('token_exchange')[0]?.commands

describe('the commands of the credential', () => {
  const { assertions } = aStatus()
  const others = assertions.map(({ claims }) => ({
    file: '/other/token',
    ...(claims && { claims: { ...claims, issuer: 'https://other.test' } }),
  }))
  test('have the claims of the projected token that the identity exchanges', () => {
    const commands = commandsWith({ assertions: [...others, ...assertions] })
    expect(commands?.[0]?.command).toContain('--issuer https://eastus.oic.prod-aks.azure.com/t/c/ ')
  })

  test('are left out for an unlisted client id with two projected tokens', () => {
    const commands = commandsWith({ assertions: [...others, ...assertions], identities: [] })
    expect(commands).toBeUndefined()
  })
})

describe('the projected token', () => {
  const { assertions } = aStatus()
  test('has not expired if the clock of the node is ahead', () => {
    const find = check({ generatedAt: '2026-11-24T12:42:00.000Z', clockSkewSeconds: 600 })
    expect(find('projected_token')).toMatchObject([{ status: 'ok' }])
  })

  test('has a warning for an audience that no cloud documents, until Entra ID has accepted it', () => {
    const other = assertions.map(({ file, claims }) => ({
      file,
      ...(claims && { claims: { ...claims, audience: ['api://other'] } }),
    }))
    const [asked] = check({ assertions: other, tokens: [] })('projected_token')
    expect(asked).toMatchObject({
      status: 'ok',
      warnings: [
        expect.stringMatching(/api:\/\/other.*Fix: .*api:\/\/AzureADTokenExchange in the public/),
      ],
    })
    for (const overrides of [{ assertions: other }, { tokens: [] }]) {
      expect(check(overrides)('projected_token')[0]).not.toHaveProperty('warnings')
    }
  })

  test('has the warning although Entra ID has accepted another projected token', () => {
    const other = assertions.map(({ claims }) => ({
      file: '/other/token',
      ...(claims && { claims: { ...claims, audience: ['api://other'] } }),
    }))
    const found = check({ assertions: [...assertions, ...other] })('projected_token')
    expect(found[0]).not.toHaveProperty('warnings')
    expect(found[1]?.warnings).toEqual([expect.stringContaining('api://other')])
  })

  test('does not hide the failure of an identity that exchanges another one', () => {
    const failure = { code: 'assertion_invalid', message: 'no token' }
    const other = { file: '/other/token', failure }
    const [exchange] = check({
      assertions: [other, ...assertions.map(({ file }) => ({ file, failure }))],
      tokens: tokensWith({ failure }),
    })('token_exchange')
    expect(exchange?.reason).toContain(`the projected token ${assertions[0]?.file} fails`)
  })
})

test('the exchange is not checked if the projected token has expired since then', () => {
  expect(check({ tokens: tokensWith({}) })('token_exchange')).toMatchObject([
    { status: 'not_checked' },
  ])
})
