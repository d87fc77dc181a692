/** The webhook's TLS certificate: made, shared by all replicas, and renewed in good time. */
import { createPrivateKey, X509Certificate } from 'node:crypto'
import { createCertificateAuthority } from '../../lib/x509.ts'

/** What a TLS server needs, and what its clients have to trust. All PEM. */
export interface CertificateMaterial {
  /** The leaf, and what follows it. */
  readonly certPem: string
  readonly keyPem: string
  /** Every authority to trust: that of this leaf first, then those of leaves still being served. */
  readonly caPem: string
}

/** Where all replicas look. */
export interface CertificateStore {
  readonly read: () => Promise<StoredCertificate>
  /** False when somebody else has written since `read`. */
  readonly write: (material: CertificateMaterial, revision: string) => Promise<boolean>
}

interface StoredCertificate {
  readonly material: CertificateMaterial | undefined
  readonly revision: string
}

interface CertificateOptions {
  /** DNS names by which the API server calls. */
  readonly names: readonly string[]
  readonly lifetimeMs: number
  /** An authority that this replica's callers trust now, whatever the store holds. */
  readonly trusted?: string | undefined
  readonly now?: () => number
}

const DAY_MS = 86_400_000
/** Renewed when a third of its life is left: time enough to notice that it fails. */
const RENEWAL_SHARE = 1 / 3
/** Whoever was first has stored a good one: the second reading finds it, unless nothing is taken. */
const MAX_ATTEMPTS = 3
/** Authorities kept for the time of a change; more would only be old. */
const MAX_AUTHORITIES = 3

/**
 * The certificate to serve: the stored one, or a new one where that is missing, unfit or due. The
 * authority's key is thrown away once it has signed: each certificate has an authority of its own.
 * Rejects with the store, and when it takes nothing.
 */
export async function currentCertificate(
  store: CertificateStore,
  options: CertificateOptions,
): Promise<CertificateMaterial> {
  for (let attempt = 1; attempt <= MAX_ATTEMPTS; attempt += 1) {
    const { material, revision } = await store.read()
    if (material !== undefined && isFit(material, options)) return material
    const made = await makeCertificate(material?.caPem, options)
    if (await store.write(made, revision)) return made
  }
  throw new Error(
    'the certificate could not be stored: each time, somebody else had changed the Secret, or the API server refused',
  )
}

async function makeCertificate(
  previous: string | undefined,
  { names, lifetimeMs, trusted = '', now = Date.now }: CertificateOptions,
): Promise<CertificateMaterial> {
  const authority = await createCertificateAuthority({
    commonName: 'wimds webhook',
    validMs: lifetimeMs + DAY_MS,
    now,
  })
  const { certPem, keyPem } = await authority.issue({ names, validMs: lifetimeMs })
  const others = `${trusted}${previous ?? ''}`
  const authorities = [authority.caPem, ...certificatesIn(others)].filter((pem) =>
    isValid(pem, now()),
  )
  const caPem = [...new Set(authorities)].slice(0, MAX_AUTHORITIES).join('')
  return { certPem, keyPem, caPem }
}

/** True if it is for these names, has its key, is trusted, and will live for a while. */
function isFit(
  { certPem, keyPem, caPem }: CertificateMaterial,
  { names, lifetimeMs, now = Date.now }: CertificateOptions,
): boolean {
  try {
    const leaf = new X509Certificate(certPem)
    const left = leaf.validToDate.getTime() - now()
    return (
      left > lifetimeMs * RENEWAL_SHARE &&
      names.every((name) => leaf.checkHost(name) !== undefined) &&
      leaf.checkPrivateKey(createPrivateKey(keyPem)) &&
      certificatesIn(caPem).some((pem) => leaf.checkIssued(new X509Certificate(pem)))
    )
  } catch {
    return false
  }
}

/** When the certificate ends, in epoch milliseconds. */
export function expiryOf({ certPem }: Pick<CertificateMaterial, 'certPem'>): number {
  return new X509Certificate(certPem).validToDate.getTime()
}

function isValid(pem: string, now: number): boolean {
  try {
    return new X509Certificate(pem).validToDate.getTime() > now
  } catch {
    return false
  }
}

function certificatesIn(pem: string): string[] {
  const found = pem.match(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g) ?? []
  return found.map((each) => `${each}\n`)
}
