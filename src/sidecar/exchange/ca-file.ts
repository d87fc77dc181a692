/** A dispatcher whose trusted CAs follow a file: a mounted ConfigMap or Secret changes when a CA is rotated. */
import type { TrustedCertificates } from '../config/config.ts'
import { startDeadline, untilAborted } from '../../lib/deadline.ts'
import { readWholeFile, shareReads } from '../../lib/files.ts'
import { isCertificates } from '../../lib/pem.ts'
import { Dispatcher } from '../../lib/undici.ts'

/** How long a request waits for the file, whose file system may hang, in milliseconds. */
const READ_TIMEOUT_MS = 1000

/**
 * Reads the file before each request, and creates another dispatcher when its certificates have changed.
 * Connections that were trusted by the former ones finish their requests and get no new ones. While the
 * file cannot be read in time, or has no certificates, the last good ones stay in use.
 */
export class CaFileDispatcher extends Dispatcher {
  readonly #read: () => Promise<string>
  readonly #create: (pem: string) => Dispatcher
  #pem: string
  #current: Dispatcher

  constructor(
    { file, pem }: TrustedCertificates & { readonly file: string },
    create: (pem: string) => Dispatcher,
    readFile: (path: string) => Promise<string> = readWholeFile,
  ) {
    super()
    const readShared = shareReads(readFile)
    this.#read = () => readShared(file)
    this.#create = create
    this.#pem = pem
    this.#current = create(pem)
  }

  override dispatch(options: Dispatcher.DispatchOptions, handler: Dispatcher.DispatchHandler) {
    void this.#reload().then(() => this.#current.dispatch(options, handler))
    return true
  }

  override close(): Promise<void> {
    return this.#current.close()
  }

  override destroy(): Promise<void> {
    return this.#current.destroy()
  }

  /** Never rejects: the last good certificates stay in use. */
  async #reload(): Promise<void> {
    const deadline = startDeadline(READ_TIMEOUT_MS)
    const pem = await untilAborted(this.#read(), deadline.signal).catch(() => this.#pem)
    deadline.clear()
    if (pem === this.#pem || !isCertificates(pem)) return
    const former = this.#current
    this.#current = this.#create(pem)
    this.#pem = pem
    former.close().catch(() => {})
  }
}
