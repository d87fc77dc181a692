/** The certificate of the Service Fabric listener, and the thumbprint that its clients pin. */
import { X509Certificate } from 'node:crypto'
import type { ServiceFabricSettings } from '../config/groups.ts'
import { ConfigError } from '../errors.ts'
import { readSetting } from './setting-file.ts'

/** PEM texts, as a TLS server takes them. */
export interface ServerCertificate {
  readonly certPem: string
  readonly keyPem: string
}

/** The given certificate, or a new one for this machine's own names. Throws `ConfigError`. */
export async function serverCertificate({
  certificate,
}: ServiceFabricSettings): Promise<ServerCertificate> {
  if (certificate !== undefined) {
    const [certPem, keyPem] = await Promise.all([
      readSetting('WIMDS_SERVICE_FABRIC_CERT_FILE', certificate.certFile),
      readSetting('WIMDS_SERVICE_FABRIC_KEY_FILE', certificate.keyFile),
    ])
    return { certPem, keyPem }
  }
  // Loaded by those alone who need it: it is as large as all the rest.
  const { createCertificateAuthority } = await import('../x509.ts')
  const authority = await createCertificateAuthority()
  return authority.issue({ names: ['localhost'], addresses: ['127.0.0.1', '::1'] })
}

/** SHA-1 of the first certificate, 40 upper-case hex digits, as IDENTITY_SERVER_THUMBPRINT holds it. */
export function thumbprintOf(certificate: string | Buffer): string {
  try {
    return new X509Certificate(certificate).fingerprint.replaceAll(':', '')
  } catch (error) {
    throw new ConfigError('WIMDS_SERVICE_FABRIC_CERT_FILE: does not hold a PEM certificate', {
      cause: error,
    })
  }
}
