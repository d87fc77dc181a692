import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { certificateIn } from '../../../src/kubernetes/webhook/certificate-directory.ts'

let directory: string
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'wimds-tls-'))
})
afterAll(() => rm(directory, { recursive: true }))

test('a mounted certificate is read anew each time, since others renew it', async () => {
  for (const generation of ['first', 'second']) {
    await writeFile(join(directory, 'tls.crt'), `${generation} certificate`)
    await writeFile(join(directory, 'tls.key'), `${generation} key`)
    expect(await certificateIn(directory)).toEqual({
      certPem: `${generation} certificate`,
      keyPem: `${generation} key`,
      caPem: '',
    })
  }
})

test('half a certificate is none', async () => {
  await writeFile(join(directory, 'tls.key'), '')
  await expect(certificateIn(directory)).rejects.toThrow(/empty tls.crt or tls.key/)
})
