/** The certificate of the Service Fabric listener, and the thumbprint that its clients pin. */
import { X509Certificate } from 'node:crypto'
import { once } from 'node:events'
import { connect, createSecureContext } from 'node:tls'
import { localHost } from '../lib/hosts.ts'
import type { ServiceFabricSettings } from '../config/groups.ts'
import type { Address } from '../config/values.ts'
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
    thumbprintOf(certPem)
    requireKeyOf(certPem, keyPem)
    return { certPem, keyPem }
  }
  // Loaded by those alone who need it: it is as large as all the rest.
  const { createCertificateAuthority } = await import('../lib/x509.ts')
  const authority = await createCertificateAuthority()
  return authority.issue({ names: ['localhost'], addresses: ['127.0.0.1', '::1'] })
}

function requireKeyOf(cert: string, key: string): void {
  try {
    createSecureContext({ cert, key })
  } catch (error) {
    throw new ConfigError(
      'WIMDS_SERVICE_FABRIC_KEY_FILE: does not hold the PEM private key of the certificate',
      { cause: error },
    )
  }
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

interface FabricSettings {
  readonly WIMDS_SERVICE_FABRIC_LISTEN: readonly Address[]
  readonly WIMDS_SERVICE_FABRIC_CERT_FILE?: string | undefined
}

/**
 * The thumbprint for clients: of the certificate that is given, else of the one that the sidecar made
 * for itself, which is asked of it. Throws `ConfigError` when none runs.
 */
export async function thumbprintFor(settings: FabricSettings): Promise<string> {
  const file = settings.WIMDS_SERVICE_FABRIC_CERT_FILE
  if (file !== undefined) {
    return thumbprintOf(await readSetting('WIMDS_SERVICE_FABRIC_CERT_FILE', file))
  }
  const [address] = settings.WIMDS_SERVICE_FABRIC_LISTEN
  const certificate = address === undefined ? undefined : await presentedAt(address)
  if (certificate !== undefined) return thumbprintOf(certificate)
  throw new ConfigError(
    'service-fabric: no sidecar answers at WIMDS_SERVICE_FABRIC_LISTEN, and each makes itself a certificate when it starts: start it first, or give it one (WIMDS_SERVICE_FABRIC_CERT_FILE)',
  )
}

const CONNECT_TIMEOUT_MS = 3000

/** The certificate that a TLS server shows; undefined when there is none. Nothing is sent to it. */
async function presentedAt({ host, port }: Address): Promise<Buffer | undefined> {
  // What it shows is only read here; it is the clients that hold it against the thumbprint.
  const socket = connect({ host: localHost(host), port, rejectUnauthorized: false })
  try {
    await once(socket, 'secureConnect', { signal: AbortSignal.timeout(CONNECT_TIMEOUT_MS) })
    return socket.getPeerCertificate().raw
  } catch {
    return undefined
  } finally {
    socket.destroy()
  }
}
