/** A dispatcher whose trusted CAs follow a file: a mounted ConfigMap or Secret changes when a CA is rotated. */
import { startDeadline, untilAborted } from '../lib/deadline.ts'
import { readWholeFile } from '../lib/files.ts'
import { isCertificates } from '../lib/pem.ts'
import { Dispatcher } from '../lib/undici.ts'

interface CaFile {
  readonly file: string
  /** Its content when the configuration was read. */
  readonly pem: string
}

/** How long a request waits for the file, whose file system may hang, in milliseconds. */
const READ_TIMEOUT_MS = 1000

/**
 * Reads the file before each request, and creates another dispatcher when its certificates have changed.
 * Connections that were trusted by the former ones serve their requests to the end and no more. While the
 * file cannot be read in time, or has no certificates, the last good ones stay in use.
 */
export class CaFileDispatcher extends Dispatcher {
  readonly #file: string
  readonly #create: (pem: string) => Dispatcher
  readonly #readFile: (path: string) => Promise<string>
  #pem: string
  #current: Dispatcher
  /** The read that is inflight, which all requests share: each would block a thread on a file system that hangs. */
  #reading: Promise<string> | undefined
  #isClosed = false

  constructor(
    { file, pem }: CaFile,
    create: (pem: string) => Dispatcher,
    readFile: (path: string) => Promise<string> = readWholeFile,
  ) {
    super()
    this.#file = file
    this.#create = create
    this.#readFile = readFile
    this.#pem = pem
    this.#current = create(pem)
  }

  override dispatch(options: Dispatcher.DispatchOptions, handler: Dispatcher.DispatchHandler) {
    void this.#reload().then(() => this.#current.dispatch(options, handler))
    return true
  }

  override close(): Promise<void> {
    this.#isClosed = true
    return this.#current.close()
  }

  override destroy(): Promise<void> {
    this.#isClosed = true
    return this.#current.destroy()
  }

  /** Never rejects: the last good certificates stay in use. */
  async #reload(): Promise<void> {
    try {
      const pem = await this.#read()
      if (pem === this.#pem || this.#isClosed || !isCertificates(pem)) return
      const former = this.#current
      this.#current = this.#create(pem)
      this.#pem = pem
      former.close().catch(() => {})
    } catch {
      // The last good certificates stay in use.
    }
  }

  async #read(): Promise<string> {
    this.#reading ??= this.#readFile(this.#file).finally(() => {
      this.#reading = undefined
    })
    const deadline = startDeadline(READ_TIMEOUT_MS)
    try {
      return await untilAborted(this.#reading, deadline.signal)
    } finally {
      deadline.clear()
    }
  }
}
