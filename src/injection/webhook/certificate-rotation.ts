/**
 * Rotates the certificate of a running TLS server, and reloads the CAs of its clients' certificates. The API servers trust a new
 * certificate before the server uses it.
 */
import { createPause, type Pause, retry } from '../../lib/retry.ts'
import type { CertificateStore } from './certificate-store.ts'
import {
  type CertificateMaterial,
  createCertificate,
  isUsable,
  LIFETIME_MS,
  parseExpiry,
} from './certificates.ts'

/** A certificate is rotated when a third of its lifetime is left. That is enough time to notice that rotation fails. */
const ROTATE_BELOW_SHARE = 1 / 3
/** After a conflict another replica has stored a valid certificate, so the next read finds it. */
const MAX_ATTEMPTS = 3

/**
 * Returns the stored certificate for the DNS name. If it is missing, invalid or due for rotation, creates and stores a new one.
 * `known` has the CA certificates (PEM) that clients trust already. Throws the errors of the store, and an error if every write
 * conflicts.
 */
export async function ensureCertificate(
  store: CertificateStore,
  name: string,
  known = '',
): Promise<CertificateMaterial> {
  for (let attempt = 1; attempt <= MAX_ATTEMPTS; attempt += 1) {
    const { material, revision } = await store.read()
    if (material !== undefined && isUsable(material, name) && !isDue(material)) return material
    const created = await createCertificate(name, known + (material?.caPem ?? ''))
    if (await store.write(created, revision)) return created
  }
  throw new Error(
    'the certificate could not be stored: every write conflicted, or the API server rejected it',
  )
}

const isDue = ({ certPem }: CertificateMaterial) =>
  parseExpiry(certPem) - Date.now() <= LIFETIME_MS * ROTATE_BELOW_SHARE

interface RotationOptions {
  /** Returns the certificate to serve now. */
  readonly getCertificate: (served: CertificateMaterial | undefined) => Promise<CertificateMaterial>
  /**
   * Makes the API servers trust these CA certificates. Called at every check, since another program may overwrite them. Absent
   * if another program publishes the CA.
   */
  readonly publishCa?: ((caPem: string) => Promise<void>) | undefined
  /** Reads the CAs of client certificates (PEM). Absent if callers need no client certificate. */
  readonly readClientCa?: (() => Promise<string>) | undefined
  /** Makes the server use the certificate from the next handshake on. */
  readonly serve: (material: CertificateMaterial, clientCa: string | undefined) => void
  readonly onError: (error: unknown) => void
  readonly signal: AbortSignal
  readonly pause?: Pause
}

/** If another program overwrites the published CA, no pod that opts in can be created until the next check. */
const CHECK_INTERVAL_MS = 2000
/** The maximum delay after a failed check. */
const MAX_BACKOFF_MS = 10_000
/** The time between publishing a new CA and serving its certificate: every API server has to read the configuration first. */
const PROPAGATION_DELAY_MS = 5000

/**
 * Checks the certificate and the client CAs now and after every interval, and serves changed ones. If one cannot be read, the
 * server keeps the one that it has. After the signal, resolves as soon as the running check has ended.
 */
export async function rotateCertificate({
  getCertificate,
  publishCa,
  readClientCa,
  serve,
  onError,
  signal,
  pause = createPause(signal),
}: RotationOptions): Promise<void> {
  let served: CertificateMaterial | undefined
  let clientCa: string | undefined

  async function check(): Promise<void> {
    const wanted = await getCertificate(served)
    await publishCa?.(wanted.caPem)
    const isOther = wanted.certPem !== served?.certPem
    if (isOther && publishCa !== undefined && served !== undefined) {
      await pause(PROPAGATION_DELAY_MS)
      if (signal.aborted) return
    }
    let failure: unknown
    const wantedClientCa = await readClientCa?.().catch((error: unknown) => {
      if (clientCa === undefined) throw error
      failure = error
      return clientCa
    })
    if (isOther || wantedClientCa !== clientCa) {
      serve(wanted, wantedClientCa)
      served = wanted
      clientCa = wantedClientCa
    }
    // Thrown only after the new certificate is served. `retry` reports it and backs off.
    if (failure !== undefined) throw failure
  }

  const backOff: Pause = (ms) => pause(Math.min(ms, MAX_BACKOFF_MS))

  while (!signal.aborted) {
    // `retry` throws only after the signal is aborted.
    await retry(check, { onError, signal, pause: backOff }).catch(() => {})
    await pause(CHECK_INTERVAL_MS)
  }
}
