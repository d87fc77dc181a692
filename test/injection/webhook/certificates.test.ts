/** The webhook's certificate, mounted by another program. */
import { describe, expect, test } from 'vitest'
import { readMountedCertificate } from '../../../src/injection/webhook/certificates.ts'
import { createFolder } from '../../fixtures/folder.ts'

describe('readMountedCertificate', () => {
  test('reads the files again at each call', async () => {
    using directory = createFolder()
    for (const generation of ['first', 'second']) {
      directory.write('tls.crt', `${generation} certificate`)
      directory.write('tls.key', `${generation} key`)
      expect(await readMountedCertificate(directory.path)).toEqual({
        certPem: `${generation} certificate`,
        keyPem: `${generation} key`,
        caPem: '',
      })
    }
  })

  test('throws if a file is empty', async () => {
    using directory = createFolder()
    directory.write('tls.crt', 'a certificate')
    directory.write('tls.key', '')
    await expect(readMountedCertificate(directory.path)).rejects.toThrow('is empty')
  })
})
