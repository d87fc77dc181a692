/**
 * When the certificate of a running TLS server is replaced, and the CAs of its clients. Clients trust a new certificate before it
 * is served.
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

/** Rotated with a third of its life left: enough time to notice that rotation fails. */
const ROTATE_BELOW_SHARE = 1 / 3
/** After a conflict another replica has stored a valid certificate, so the next read finds it. */
const MAX_ATTEMPTS = 3

/**
 * Returns the stored certificate of that name, or stores a new one if that is missing, invalid or due for rotation. `known` is the
 * PEM of CAs that clients trust already. Throws what the store throws, and if every write conflicts.
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
   * Makes the API servers trust these CA certificates. Called at every check, since others may undo it. Absent if another
   * program publishes the CA.
   */
  readonly publishCa?: ((caPem: string) => Promise<void>) | undefined
  /** Reads the CAs of client certificates, PEM. Absent: callers need none. */
  readonly readClientCa?: (() => Promise<string>) | undefined
  /** Serves the certificate from the next handshake on. */
  readonly serve: (material: CertificateMaterial, clientCa: string | undefined) => void
  readonly onError: (error: unknown) => void
  /** Ends the rotation. */
  readonly signal: AbortSignal
  readonly pause?: Pause
}

/** No pod that opts in can be created while the CA is not published, so a check comes soon after others have undone that. */
const CHECK_INTERVAL_MS = 2000
/** The longest delay between checks that fail. */
const MAX_BACKOFF_MS = 10_000
/** The time between publishing a new certificate and serving it: every API server has to read the configuration first. */
const PROPAGATION_DELAY_MS = 5000

/**
 * Checks now, and again after every interval. What cannot be read leaves the served certificate, or the CAs of clients, in place.
 * Resolves after the signal, once a check that is in progress has ended.
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
    // Reported with backoff, as all failures are.
    if (failure !== undefined) throw failure
  }

  const backOff: Pause = (ms) => pause(Math.min(ms, MAX_BACKOFF_MS))

  while (!signal.aborted) {
    // Fails only because of the shutdown.
    await retry(check, { onError, signal, pause: backOff }).catch(() => {})
    await pause(CHECK_INTERVAL_MS)
  }
}
