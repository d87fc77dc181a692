/** Trusted CAs that follow a file: a mounted ConfigMap or Secret changes when a CA is rotated. */
import type { TrustedCertificates } from '../config/config.ts'
import { startDeadline, untilAborted } from '../../lib/deadline.ts'
import { readWholeFile } from '../../lib/files.ts'
import { isCertificates } from '../../lib/pem.ts'
import { createSingleFlight } from '../../lib/single-flight.ts'
import { Dispatcher } from '../../lib/undici.ts'

/** How long a request waits for the file, whose file system may hang, in milliseconds. */
const READ_TIMEOUT_MS = 1000

/**
 * Creates a dispatcher for these certificates. It reads their file before each request, and creates another dispatcher when
 * they have changed. Connections that were trusted by the former ones finish their requests and get no new ones. While the
 * file cannot be read in time, or has no certificates, the last good ones stay in use.
 */
export function followCertificates(
  { file, pem }: Partial<TrustedCertificates> = {},
  create: (pem?: string) => Dispatcher,
  readFile: (path: string) => Promise<string> = readWholeFile,
): Dispatcher {
  const first = create(pem)
  if (file === undefined) return first
  const share = createSingleFlight<string>()
  let current = { pem, dispatcher: first }

  /** Never rejects: the last good certificates stay in use. */
  async function reload(path: string): Promise<Dispatcher> {
    const deadline = startDeadline(READ_TIMEOUT_MS)
    const read = share(path, () => readFile(path))
    const next = await untilAborted(read, deadline.signal).catch(() => current.pem)
    deadline.clear()
    if (next !== undefined && next !== current.pem && isCertificates(next)) {
      current.dispatcher.close().catch(() => {})
      current = { pem: next, dispatcher: create(next) }
    }
    return current.dispatcher
  }

  return Object.assign(new Dispatcher(), {
    dispatch: (...request: Parameters<Dispatcher['dispatch']>) => {
      void reload(file).then((dispatcher) => dispatcher.dispatch(...request))
      return true
    },
    close: () => current.dispatcher.close(),
    destroy: () => current.dispatcher.destroy(),
  })
}
