/** A dispatcher whose trusted CAs follow a file: a mounted ConfigMap or Secret changes when a CA is rotated. */
import { BrokerError } from '../../lib/errors.ts'
import { startDeadline, untilAborted } from '../../lib/deadline.ts'
import { readWholeFile, shareReads } from '../../lib/files.ts'
import { isCertificates } from '../../lib/pem.ts'
import { Dispatcher } from '../../lib/undici.ts'

interface CaFile {
  readonly file: string
  /** Its content when the configuration was read; undefined: it has not been read yet. */
  readonly pem?: string
  /** The fix while there were no good certificates yet; without a full stop. */
  readonly fix?: string
}

// oxlint-disable-next-line no-unsafe-type-assertion -- undici's own for a request that has not started
const NO_CONTROLLER = null as unknown as Dispatcher.DispatchController

/** How long a request waits for the file, whose file system may hang, in milliseconds. */
const READ_TIMEOUT_MS = 1000

/**
 * Reads the file before each request, and creates another dispatcher when its certificates have changed.
 * Connections that were trusted by the former ones finish their requests and get no new ones. While the
 * file cannot be read in time, or has no certificates, the last good ones stay in use; if there are none yet,
 * requests fail with `entra_tls`.
 */
export class CaFileDispatcher extends Dispatcher {
  readonly #file: string
  readonly #fix: string
  readonly #create: (pem: string) => Dispatcher
  readonly #readFile: (path: string) => Promise<string>
  #pem: string | undefined
  #current: Dispatcher | undefined
  #isClosed = false

  constructor(
    { file, pem, fix = 'check the file' }: CaFile,
    create: (pem: string) => Dispatcher,
    readFile: (path: string) => Promise<string> = readWholeFile,
  ) {
    super()
    this.#file = file
    this.#fix = fix
    this.#create = create
    this.#readFile = shareReads(readFile)
    this.#pem = pem
    this.#current = pem === undefined ? undefined : create(pem)
  }

  override dispatch(options: Dispatcher.DispatchOptions, handler: Dispatcher.DispatchHandler) {
    void this.#send(options, handler)
    return true
  }

  async #send(options: Dispatcher.DispatchOptions, handler: Dispatcher.DispatchHandler) {
    const problem = await this.#reload()
    if (this.#current !== undefined) this.#current.dispatch(options, handler)
    else handler.onResponseError?.(NO_CONTROLLER, this.#createError(problem))
  }

  override async close(): Promise<void> {
    this.#isClosed = true
    await this.#current?.close()
  }

  override async destroy(): Promise<void> {
    this.#isClosed = true
    await this.#current?.destroy()
  }

  #createError(problem = 'is no longer in use'): BrokerError {
    return new BrokerError('entra_tls', `the CA file ${this.#file} ${problem}`, this.#fix)
  }

  /** Returns why the file is unusable. Never rejects: the last good certificates stay in use. */
  async #reload(): Promise<string | undefined> {
    try {
      const pem = await this.#read()
      if (pem === this.#pem || this.#isClosed) return undefined
      if (!isCertificates(pem)) return 'has no PEM certificates'
      const former = this.#current
      this.#current = this.#create(pem)
      this.#pem = pem
      former?.close().catch(() => {})
      return undefined
    } catch {
      return 'cannot be read'
    }
  }

  async #read(): Promise<string> {
    const deadline = startDeadline(READ_TIMEOUT_MS)
    try {
      return await untilAborted(this.#readFile(this.#file), deadline.signal)
    } finally {
      deadline.clear()
    }
  }
}
