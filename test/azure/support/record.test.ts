import { expect, test } from 'vitest'
import { redact } from './record.ts'

const TENANT = 'd2222222-2222-4222-8222-222222222222'
const ISSUER = `https://westeurope.oic.prod-aks.azure.com/${TENANT}/f4444444-4444-4444-8444-444444444444/`

test('replaces an issuer of AKS as a whole, although it contains the tenant id', () => {
  const identifiers = { [TENANT]: 'tenant', [ISSUER]: 'issuer' }
  expect(redact(`issuer ${ISSUER} of ${TENANT}`, identifiers)).toBe('issuer (issuer) of (tenant)')
})
