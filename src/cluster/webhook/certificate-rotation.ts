/** Rotates the certificate of a running TLS server; clients trust a new one before it is served. */
import { backoffMs, createPause, type Pause } from '../../lib/retry.ts'
import type { CertificateMaterial } from './certificates.ts'

interface RotationOptions {
  /** Returns the certificate to serve now. */
  readonly getCertificate: (served: CertificateMaterial | undefined) => Promise<CertificateMaterial>
  /** Makes clients trust these CA certificates. Called at every check, since others may undo it. */
  readonly publish: (caPem: string) => Promise<string>
  /** Resolves when the publishing of that revision may have been undone, or after a while. */
  readonly waitForChange?: (revision: string) => Promise<void>
  /** Serves the certificate from the next handshake on. */
  readonly serve: (material: CertificateMaterial) => void
  readonly onError: (error: unknown) => void
  readonly checkIntervalMs?: number
  /** Time from publishing to serving a new certificate: every API server has to read the configuration. */
  readonly propagationDelayMs?: number
  readonly pause?: Pause
}

export interface CertificateRotation {
  /** Returns the served certificate; undefined before the first success. */
  readonly served: () => CertificateMaterial | undefined
  /** Stops the rotation. Resolves after a check that is in progress. */
  readonly stop: () => Promise<void>
}

/** Between a change and the check that follows: two controllers that undo each other are slowed down. */
const CHANGE_DELAY_MS = 300

/** Checks now, and again after every change or interval. A failed check leaves the served certificate in place. */
export function startCertificateRotation(options: RotationOptions): CertificateRotation {
  const { getCertificate, publish, waitForChange, serve, onError } = options
  const { checkIntervalMs = 10_000, propagationDelayMs = 5000 } = options
  const shutdown = new AbortController()
  const { signal } = shutdown
  const { pause = createPause(signal) } = options
  let served: CertificateMaterial | undefined

  /** Returns the published revision. */
  async function check(): Promise<string> {
    const wanted = await getCertificate(served)
    const revision = await publish(wanted.caPem)
    if (wanted.certPem !== served?.certPem) {
      if (served !== undefined) await pause(propagationDelayMs)
      serve(wanted)
      served = wanted
    }
    return revision
  }

  function reportError(error: unknown): void {
    if (!signal.aborted) onError(error)
  }

  /** Waits for a change. Where changes cannot be watched, waits for the interval. */
  async function waitForCheck(revision: string): Promise<void> {
    if (waitForChange === undefined) return await pause(checkIntervalMs)
    try {
      await waitForChange(revision)
      await pause(CHANGE_DELAY_MS)
    } catch (error) {
      reportError(error)
      await pause(checkIntervalMs)
    }
  }

  async function rotate(): Promise<void> {
    let failures = 0
    while (!signal.aborted) {
      try {
        const revision = await check()
        failures = 0
        await waitForCheck(revision)
      } catch (error) {
        reportError(error)
        failures += 1
        await pause(Math.min(backoffMs(failures), checkIntervalMs))
      }
    }
  }

  const rotating = rotate()
  return {
    served: () => served,
    stop: async () => {
      shutdown.abort()
      await rotating
    },
  }
}
