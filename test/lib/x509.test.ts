import { X509Certificate } from 'node:crypto'
import { expect, onTestFinished, test, vi } from 'vitest'
import { createCertificateAuthority } from '../../src/lib/x509.ts'

test('an issued certificate names its hosts and addresses and lives as long as asked', async () => {
  const start = Date.UTC(2030, 0, 1)
  vi.useFakeTimers({ toFake: ['Date'], now: start })
  onTestFinished(() => void vi.useRealTimers())
  const authority = await createCertificateAuthority({ commonName: 'test CA' })
  const { certPem } = await authority.issue({
    names: ['entra.test', 'other.test', '10.0.0.7', 'fd00::7'],
    validMs: 3_600_000,
  })
  const leaf = new X509Certificate(certPem)
  const ca = new X509Certificate(authority.caPem)

  expect(leaf.checkHost('other.test')).toBe('other.test')
  expect(leaf.checkHost('elsewhere.test')).toBeUndefined()
  expect(leaf.checkIP('10.0.0.7')).toBe('10.0.0.7')
  expect(leaf.checkIP('fd00::7')).toBe('fd00::7')
  expect(leaf.ca).toBe(false)
  expect(ca.ca).toBe(true)
  expect(ca.subject).toBe('CN=test CA')
  expect(leaf.checkIssued(ca) && leaf.verify(ca.publicKey)).toBe(true)
  expect(Date.parse(leaf.validTo)).toBe(start + 3_600_000)
  expect(Date.parse(leaf.validFrom)).toBe(start - 300_000)
})
