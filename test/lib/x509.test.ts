import { X509Certificate } from 'node:crypto'
import { expect, onTestFinished, test, vi } from 'vitest'
import { createCertificateAuthority } from '../../src/lib/x509.ts'

test('an issued certificate has its names, is no CA, is valid as long as requested, and already for peers whose clock is behind', async () => {
  const start = Date.UTC(2030, 0, 1)
  vi.useFakeTimers({ toFake: ['Date'], now: start })
  onTestFinished(() => void vi.useRealTimers())
  const authority = await createCertificateAuthority()
  const { certPem } = await authority.issue({ names: ['a.test', 'fd00::7'], validMs: 3_600_000 })
  const leaf = new X509Certificate(certPem)
  expect([leaf.checkHost('a.test'), leaf.checkIP('fd00::7'), leaf.ca]).toEqual([
    'a.test',
    'fd00::7',
    false,
  ])
  expect(Date.parse(leaf.validTo)).toBe(start + 3_600_000)
  expect(Date.parse(leaf.validFrom)).toBe(start - 300_000)
})
