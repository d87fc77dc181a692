/** A certificate authority in memory that issues server certificates (X.509). */
import { isIP } from 'node:net'
// oxlint-disable-next-line import/no-unassigned-import -- @peculiar/x509 needs its global effect
import 'reflect-metadata'
import * as x509 from '@peculiar/x509'

/** A certificate with its private key, both PEM. */
export interface IssuedCertificate {
  /** The leaf, then the CA certificate. */
  readonly certPem: string
  /** PKCS #8. */
  readonly keyPem: string
}

interface IssueOptions {
  /** DNS names, and IP addresses without brackets; the first is also the subject's common name. */
  readonly names: readonly string[]
  readonly validMs?: number
}

export type CertificateAuthority = Awaited<ReturnType<typeof createCertificateAuthority>>

interface AuthorityOptions {
  readonly commonName?: string
  readonly validMs?: number
}

const ALGORITHM = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' }
const DAY_MS = 86_400_000
/** `notBefore` is in the past for peers whose clock is behind. */
const BACKDATED_MS = 300_000
const SERVER_AUTHENTICATION = '1.3.6.1.5.5.7.3.1'

/** Creates an authority with a new key, which stays in memory and cannot be exported. */
export async function createCertificateAuthority({
  commonName = 'wimds throw-away CA',
  validMs = 365 * DAY_MS,
}: AuthorityOptions = {}) {
  const keys = await crypto.subtle.generateKey(ALGORITHM, false, ['sign', 'verify'])
  const subject = new x509.Name([{ CN: [commonName] }])
  const authority = await x509.X509CertificateGenerator.createSelfSigned({
    name: subject,
    keys,
    signingAlgorithm: ALGORITHM,
    serialNumber: createSerialNumber(),
    ...createValidity(validMs),
    extensions: [
      new x509.BasicConstraintsExtension(true, 0, true),
      new x509.KeyUsagesExtension(
        x509.KeyUsageFlags.keyCertSign | x509.KeyUsageFlags.cRLSign,
        true,
      ),
      await x509.SubjectKeyIdentifierExtension.create(keys.publicKey),
    ],
  })
  // PEM texts end with a newline, since they are joined into chains.
  const caPem = `${authority.toString('pem')}\n`

  return {
    /** The CA certificate, which clients have to trust. */
    caPem,
    /** Issues a certificate for a TLS server. */
    async issue({
      names,
      validMs: leafValidMs = 90 * DAY_MS,
    }: IssueOptions): Promise<IssuedCertificate> {
      const leafKeys = await crypto.subtle.generateKey(ALGORITHM, true, ['sign', 'verify'])
      const leaf = await x509.X509CertificateGenerator.create({
        subject: new x509.Name([{ CN: [names[0] ?? 'server'] }]),
        issuer: authority.subjectName,
        publicKey: leafKeys.publicKey,
        signingKey: keys.privateKey,
        signingAlgorithm: ALGORITHM,
        serialNumber: createSerialNumber(),
        ...createValidity(leafValidMs),
        extensions: [
          new x509.BasicConstraintsExtension(false, undefined, true),
          new x509.KeyUsagesExtension(x509.KeyUsageFlags.digitalSignature, true),
          new x509.ExtendedKeyUsageExtension([SERVER_AUTHENTICATION]),
          new x509.SubjectAlternativeNameExtension(
            names.map((value) => ({ type: isIP(value) === 0 ? 'dns' : 'ip', value }) as const),
          ),
          await x509.AuthorityKeyIdentifierExtension.create(keys.publicKey),
          await x509.SubjectKeyIdentifierExtension.create(leafKeys.publicKey),
        ],
      })
      const privateKey = await crypto.subtle.exportKey('pkcs8', leafKeys.privateKey)
      return {
        certPem: `${leaf.toString('pem')}\n${caPem}`,
        keyPem: `${x509.PemConverter.encode(privateKey, 'PRIVATE KEY')}\n`,
      }
    },
  }
}

function createValidity(validMs: number) {
  const now = Date.now()
  return { notBefore: new Date(now - BACKDATED_MS), notAfter: new Date(now + validMs) }
}

/** Returns 127 random bits: positive, and within the 20 octets of RFC 5280 §4.1.2.2. */
function createSerialNumber(): string {
  const bytes = crypto.getRandomValues(Buffer.alloc(16))
  bytes[0] = (bytes[0] ?? 0) & 0x7f || 1
  return bytes.toString('hex')
}
