/** A certificate that somebody else renews, such as cert-manager, in a mounted directory. */
import { join } from 'node:path'
import { readWholeFile } from '../../lib/files.ts'
import type { CertificateMaterial } from './certificates.ts'

/** Reads `tls.crt` and `tls.key`. Who renews them also tells the API server whom to trust. */
export async function certificateIn(directory: string): Promise<CertificateMaterial> {
  const [certPem, keyPem] = await Promise.all(
    ['tls.crt', 'tls.key'].map((file) => readWholeFile(join(directory, file))),
  )
  if (!certPem || !keyPem) throw new Error(`${directory} holds an empty tls.crt or tls.key`)
  return { certPem, keyPem, caPem: '' }
}
