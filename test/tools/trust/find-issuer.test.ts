import { expect, test } from 'vitest'
import { findIssuerProblem, isAudience } from '../../../src/tools/trust/find-issuer.ts'

test.each([
  'https://westeurope.oic.prod-aks.azure.com/tenant/cluster/',
  'https://oidc.eks.eu-west-1.amazonaws.com/id/EXAMPLE',
  'https://issuer.example',
  'https://issuer.example/a=b@c',
])('accepts %s', (issuer) => {
  expect(findIssuerProblem(issuer)).toBeUndefined()
})

test.each([
  ['http://issuer.example', 'https://'],
  ['issuer.example', 'https://'],
  ['https://issuer.example/?a=b', 'query'],
  ['https://issuer.example/ ', 'https://'],
  ['https://issuer.example/=@/etc/passwd', 'the Azure CLI'],
  ['https://user:pass@issuer.example/', 'no user'],
  [`https://issuer.example/${'a'.repeat(600)}`, '600'],
  ['https://kubernetes.default.svc.cluster.local', 'enable-oidc-issuer'],
  ['https://kubernetes.default.svc', 'enable-oidc-issuer'],
])('rejects %s', (issuer, reason) => {
  expect(findIssuerProblem(issuer)).toContain(reason)
})

test('never repeats a password', () => {
  expect(findIssuerProblem('https://user:hunter2@issuer.example/')).not.toContain('hunter2')
})

test.each([
  ['api://AzureADTokenExchange', true],
  ['https://vault.example/x', true],
  ['11111111-1111-4111-8111-111111111111', true],
  ['@/etc/passwd', false],
  ['[a,b]', false],
  ['', false],
  ['a b', false],
])('%j as an audience: %s', (text, expected) => {
  expect(isAudience(text)).toBe(expected)
})
