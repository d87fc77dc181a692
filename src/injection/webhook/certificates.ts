/** The webhook's TLS certificate: created by a replica and shared by all of them, or mounted. */
import { createPrivateKey, X509Certificate } from 'node:crypto'
import { join } from 'node:path'
import { ConfigError } from '../../lib/errors.ts'
import { readWholeFile } from '../../lib/files.ts'
import { readNamedFile } from '../../lib/named-file.ts'
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

/** Where the replicas share their certificate. */
export interface CertificateStore {
  readonly read: () => Promise<StoredCertificate>
  /** Returns false if the store has changed since `read`. A revision of undefined creates it. */
  readonly write: (material: CertificateMaterial, revision: string | undefined) => Promise<boolean>
}

interface StoredCertificate {
  readonly material: CertificateMaterial | undefined
  /** Undefined if the store does not exist. */
  readonly revision: string | undefined
}

interface CertificateOptions {
  /** The DNS name by which the API server calls. */
  readonly name: string
  readonly lifetimeMs: number
  /** CA certificates that clients of this replica trust now, whatever the store holds. */
  readonly trusted?: string | undefined
  readonly now?: () => number
}

const DAY_MS = 86_400_000
/** Rotated with a third of its life left: enough time to notice that rotation fails. */
const ROTATE_BELOW_SHARE = 1 / 3
/** After a conflict another replica has stored a valid certificate, so the next read finds it. */
const MAX_ATTEMPTS = 3
/** CA certificates kept during a rotation. */
const MAX_CA_CERTIFICATES = 3

/**
 * Returns the stored certificate, or stores a new one if that is missing, invalid or due for rotation.
 * Each certificate is issued by a new certificate authority, whose key is discarded after it has signed.
 * Throws what the store throws, and if every write conflicts.
 */
export async function ensureCertificate(
  store: CertificateStore,
  options: CertificateOptions,
): Promise<CertificateMaterial> {
  for (let attempt = 1; attempt <= MAX_ATTEMPTS; attempt += 1) {
    const { material, revision } = await store.read()
    if (material !== undefined && isValid(material, options)) return material
    const created = await createCertificate(material?.caPem, options)
    if (await store.write(created, revision)) return created
  }
  throw new Error(
    'the certificate could not be stored: every write conflicted, or the API server rejected it',
  )
}

/** Reads `tls.crt` and `tls.key` of a directory that another program, such as cert-manager, keeps current. */
export async function readMountedCertificate(directory: string): Promise<CertificateMaterial> {
  const [certPem, keyPem] = await Promise.all(
    ['tls.crt', 'tls.key'].map((file) => readWholeFile(join(directory, file))),
  )
  if (!certPem || !keyPem) throw new Error(`tls.crt or tls.key in ${directory} is empty`)
  return { certPem, keyPem, caPem: '' }
}

/**
 * Reads the CAs of client certificates. Throws a `ConfigError` unless there is one: with an empty text Node would trust its
 * own roots, and with any other no caller.
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

async function createCertificate(
  previous: string | undefined,
  { name, lifetimeMs, trusted = '', now = Date.now }: CertificateOptions,
): Promise<CertificateMaterial> {
  const authority = await createCertificateAuthority({
    commonName: 'wimds webhook',
    validMs: lifetimeMs + DAY_MS,
    now,
  })
  const { certPem, keyPem } = await authority.issue({ names: [name], validMs: lifetimeMs })
  const known = splitCertificates(`${authority.caPem}${trusted}${previous ?? ''}`)
  const caPem = [...new Set(known)]
    .filter((pem) => !isExpired(pem, now()))
    .slice(0, MAX_CA_CERTIFICATES)
    .map((pem) => `${pem}\n`)
    .join('')
  return { certPem, keyPem, caPem }
}

/** Returns true if it is for this name, has its key and its CA, and is not yet due for rotation. */
function isValid(
  { certPem, keyPem, caPem }: CertificateMaterial,
  { name, lifetimeMs, now = Date.now }: CertificateOptions,
): boolean {
  try {
    const leaf = new X509Certificate(certPem)
    return (
      leaf.validToDate.getTime() - now() > lifetimeMs * ROTATE_BELOW_SHARE &&
      leaf.checkHost(name) !== undefined &&
      leaf.checkPrivateKey(createPrivateKey(keyPem)) &&
      splitCertificates(caPem).some((pem) => leaf.checkIssued(new X509Certificate(pem)))
    )
  } catch {
    return false
  }
}

function isExpired(pem: string, now: number): boolean {
  try {
    return parseExpiry(pem) <= now
  } catch {
    return true
  }
}
