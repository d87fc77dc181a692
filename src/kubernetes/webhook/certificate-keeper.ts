/** Keeps a running TLS server's certificate current, and its callers' trust one step ahead of it. */
import type { CertificateMaterial } from './certificates.ts'
import { type Pause, pausesUntil, retryDelayMs } from './retries.ts'

interface KeeperOptions {
  /** The certificate that should be served now. */
  readonly current: (served: CertificateMaterial | undefined) => Promise<CertificateMaterial>
  /** Makes callers trust these authorities; called each time, since others may undo it. */
  readonly publish: (caPem: string) => Promise<void>
  /** Serves with it from the next handshake on. */
  readonly serve: (material: CertificateMaterial) => void
  readonly onError: (error: unknown) => void
  readonly everyMs?: number
  /** From publishing to serving a new certificate: every API server has to hear of it. */
  readonly settleMs?: number
  readonly pause?: Pause
}

export interface CertificateKeeper {
  /** What is served; undefined before the first success. */
  readonly served: () => CertificateMaterial | undefined
  /** Ends once a look that is under way has ended. */
  readonly stop: () => Promise<void>
}

/** Looks at once and then again and again; a failure is told and leaves what is served in place. */
export function keepCertificate(options: KeeperOptions): CertificateKeeper {
  const { current, publish, serve, onError, everyMs = 10_000, settleMs = 5000 } = options
  const ending = new AbortController()
  const { pause = pausesUntil(ending.signal) } = options
  let served: CertificateMaterial | undefined

  async function look(): Promise<void> {
    const wanted = await current(served)
    await publish(wanted.caPem)
    if (wanted.certPem === served?.certPem) return
    if (served !== undefined) await pause(settleMs)
    serve(wanted)
    served = wanted
  }

  async function keep(): Promise<void> {
    for (let looks = 1; !ending.signal.aborted; looks += 1) {
      await look().catch((error: unknown) => {
        // What the end cuts short has not failed.
        if (!ending.signal.aborted) onError(error)
      })
      // The first success is waited for by callers; failures before it are retried sooner.
      await pause(served === undefined ? Math.min(retryDelayMs(looks), everyMs) : everyMs)
    }
  }

  const kept = keep()
  return {
    served: () => served,
    stop: async () => {
      ending.abort()
      await kept
    },
  }
}
