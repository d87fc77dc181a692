/** A dispatcher whose trusted CAs follow a file: a mounted ConfigMap or Secret changes when a CA is rotated. */
import type { Dispatcher } from 'undici'
import { isCertificates } from '../config/parsers.ts'
import { readWholeFile } from '../lib/files.ts'
import { DispatcherBase } from '../lib/undici.ts'

interface CaFile {
  readonly file: string
  /** Its content when the configuration was read. */
  readonly pem: string
}

/**
 * Reads the file before each request, and creates another dispatcher when its certificates have changed.
 * Connections that were trusted by the former ones serve their requests to the end and no more. While the
 * file cannot be read, or has no certificates, the last good ones stay in use.
 */
export class CaFileDispatcher extends DispatcherBase {
  readonly #file: string
  readonly #create: (pem: string) => Dispatcher
  #pem: string
  #current: Dispatcher

  constructor({ file, pem }: CaFile, create: (pem: string) => Dispatcher) {
    super()
    this.#file = file
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
    const former = this.#current
    try {
      const pem = await readWholeFile(this.#file)
      if (pem === this.#pem || !isCertificates(pem)) return
      this.#current = this.#create(pem)
      this.#pem = pem
    } catch {
      return
    }
    void former.close()
  }
}
