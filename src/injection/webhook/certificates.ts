/** The webhook's TLS certificate: created by a replica and shared by all of them, or mounted. */
import { createPrivateKey, X509Certificate } from 'node:crypto'
import { join } from 'node:path'
import { ConfigError } from '../../lib/errors.ts'
import { readNamedFile, readWholeFile } from '../../lib/files.ts'
import { isCertificates, splitCertificates } from '../../lib/pem.ts'
import { createCertificateAuthority } from '../../lib/x509.ts'

/** The key and certificate of a TLS server, and the CAs that its clients have to trust. All PEM. */
export interface CertificateMaterial {
  /** The leaf certificate and its chain. */
  readonly certPem: string
  readonly keyPem: string
  /** CA certificates to trust: the CA of this leaf first, then the CAs of leaves that may still be served. */
  readonly caPem: string
}

const DAY_MS = 86_400_000
/** The maximum number of CA certificates that clients trust at the same time, during rotations. */
const MAX_CA_CERTIFICATES = 3

/** Reads `tls.crt` and `tls.key` of a directory that another program, such as cert-manager, keeps current. */
export async function readMountedCertificate(directory: string): Promise<CertificateMaterial> {
  const [certPem, keyPem] = await Promise.all(
    ['tls.crt', 'tls.key'].map((file) => readWholeFile(join(directory, file))),
  )
  if (!certPem || !keyPem) throw new Error(`tls.crt or tls.key in ${directory} is empty`)
  return { certPem, keyPem, caPem: '' }
}

/**
 * Reads the CAs of client certificates. Throws a `ConfigError` if the file has none: with an empty text Node would trust its
 * own root CAs, and with any other text it would reject every caller.
 */
export async function readClientCa(file: string): Promise<string> {
  const pem = await readNamedFile(file)
  if (isCertificates(pem)) return pem
  throw new ConfigError({
    problem: `${file} holds no valid PEM certificates`,
    fix: "write the CA certificates of the API server's client certificate into it",
  })
}

/** Returns when the certificate expires, in epoch milliseconds. */
export function parseExpiry(certPem: string): number {
  return new X509Certificate(certPem).validToDate.getTime()
}

export const LIFETIME_MS = 90 * DAY_MS

/**
 * Creates a certificate for the DNS name by which the API server calls the webhook. A new certificate authority signs it, and the
 * key of that authority is discarded. `known` has the CA certificates (PEM) that clients trust already. `caPem` of the result has
 * the new CA, and the first CAs of `known` that have not expired.
 */
export async function createCertificate(name: string, known: string): Promise<CertificateMaterial> {
  const authority = await createCertificateAuthority({
    commonName: 'wimds webhook',
    validMs: LIFETIME_MS + DAY_MS,
  })
  const { certPem, keyPem } = await authority.issue({ names: [name], validMs: LIFETIME_MS })
  const caPem = [...new Set(splitCertificates(authority.caPem + known))]
    .filter((pem) => isCertificates(pem) && parseExpiry(pem) > Date.now())
    .slice(0, MAX_CA_CERTIFICATES)
    .map((pem) => `${pem}\n`)
    .join('')
  return { certPem, keyPem, caPem }
}

/** Returns true if the certificate is for this name and belongs to the key and to a CA. Does not check whether it has expired. */
export function isUsable({ certPem, keyPem, caPem }: CertificateMaterial, name: string): boolean {
  try {
    const leaf = new X509Certificate(certPem)
    return (
      leaf.checkHost(name) !== undefined &&
      leaf.checkPrivateKey(createPrivateKey(keyPem)) &&
      splitCertificates(caPem).some((pem) => leaf.checkIssued(new X509Certificate(pem)))
    )
  } catch {
    return false
  }
}
