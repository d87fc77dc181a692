/** An undici dispatcher that calls a simulated server in this process, without a port. */
import { Dispatcher, errors, Response as UndiciResponse } from 'undici'
import { isSocketFault, type Server } from './handler.ts'

/**
 * Creates a dispatcher that sends every request to `server`. A `hang` ends when the request is
 * aborted or the dispatcher is destroyed; a `reset` fails as a socket error with code ECONNRESET.
 */
export const createInMemoryDispatcher = (server: Server): Dispatcher =>
  new InMemoryDispatcher(server)

/** A class because undici requires one: `request`, `stream` and others come from `Dispatcher`. */
class InMemoryDispatcher extends Dispatcher {
  readonly #server: Server
  readonly #inflight = new Set<Controller>()

  constructor(server: Server) {
    super()
    this.#server = server
  }

  override dispatch(
    options: Dispatcher.DispatchOptions,
    handler: Dispatcher.DispatchHandler,
  ): boolean {
    const controller = new Controller()
    this.#inflight.add(controller)
    void dispatch(this.#server, options, handler, controller).finally(() =>
      this.#inflight.delete(controller),
    )
    return true
  }

  override close(): Promise<void>
  override close(callback: () => void): void
  override close(callback?: () => void): Promise<void> | void {
    return this.destroy(null, callback ?? noop)
  }

  override destroy(): Promise<void>
  override destroy(error: Error | null): Promise<void>
  override destroy(callback: () => void): void
  override destroy(error: Error | null, callback: () => void): void
  override destroy(
    errorOrCallback?: Error | null | (() => void),
    callback?: () => void,
  ): Promise<void> | void {
    const error = typeof errorOrCallback === 'function' ? null : errorOrCallback
    for (const controller of this.#inflight) {
      controller.abort(error ?? new errors.ClientDestroyedError())
    }
    const done = typeof errorOrCallback === 'function' ? errorOrCallback : callback
    if (done) queueMicrotask(done)
    return Promise.resolve()
  }
}

const noop = (): void => undefined

/** Lets undici's handlers abort, pause and resume a response. */
class Controller implements Dispatcher.DispatchController {
  readonly #abort = new AbortController()
  #resumed: PromiseWithResolvers<void> = Promise.withResolvers()
  paused = false
  rawHeaders: Buffer[] = []

  get aborted(): boolean {
    return this.#abort.signal.aborted
  }
  get reason(): Error | null {
    return this.aborted ? toError(this.#abort.signal.reason) : null
  }
  abort(reason: Error): void {
    this.#abort.abort(reason)
    this.#resumed.resolve()
  }
  pause(): void {
    if (this.paused) return
    this.paused = true
    this.#resumed = Promise.withResolvers()
  }
  resume(): void {
    this.paused = false
    this.#resumed.resolve()
  }
  /** Resolves when the response is not paused. Throws when it is aborted. */
  async untilResumed(): Promise<void> {
    if (this.paused && !this.aborted) await this.#resumed.promise
    this.throwIfAborted()
  }
  throwIfAborted(): void {
    this.#abort.signal.throwIfAborted()
  }
  /** Rejects when aborted and never resolves. */
  untilAborted(): Promise<never> {
    const { signal } = this.#abort
    return new Promise((_, reject) => {
      if (signal.aborted) reject(toError(signal.reason))
      signal.addEventListener('abort', () => reject(toError(signal.reason)), { once: true })
    })
  }
}

async function dispatch(
  server: Server,
  options: Dispatcher.DispatchOptions,
  handler: Dispatcher.DispatchHandler,
  controller: Controller,
): Promise<void> {
  try {
    handler.onRequestStart?.(controller, {})
    controller.throwIfAborted()
    const request = await toRequest(options)
    const reply = await Promise.race([server(request), controller.untilAborted()])
    if (isSocketFault(reply)) {
      if (reply.socket === 'hang') await controller.untilAborted()
      throw resetError()
    }
    const headers = toHeaderObject(reply)
    controller.rawHeaders = [...reply.headers].flat().map((text) => Buffer.from(text, 'latin1'))
    handler.onResponseStart?.(controller, reply.status, headers, reply.statusText)
    await sendBody(reply, handler, controller)
    handler.onResponseEnd?.(controller, {})
  } catch (error) {
    handler.onResponseError?.(controller, toError(error))
  }
}

async function sendBody(
  reply: Response,
  handler: Dispatcher.DispatchHandler,
  controller: Controller,
): Promise<void> {
  const chunks = (reply.body ?? emptyBody())[Symbol.asyncIterator]()
  for (;;) {
    await controller.untilResumed()
    const next = await Promise.race([
      chunks.next().catch(() => undefined),
      controller.untilAborted(),
    ])
    if (!next) throw resetError()
    if (next.done) return
    handler.onResponseData?.(controller, Buffer.from(next.value))
  }
}

async function toRequest(options: Dispatcher.DispatchOptions): Promise<Request> {
  const { origin = 'http://localhost', path, method, body } = options
  const hasBody = method !== 'GET' && method !== 'HEAD' && body !== null && body !== undefined
  return new Request(new URL(path, origin), {
    method,
    headers: toHeaders(options.headers),
    ...(hasBody ? { body: new Uint8Array(await new UndiciResponse(body).arrayBuffer()) } : {}),
  })
}

/** Converts headers from the forms that undici accepts: an object, a flat list or pairs. */
function toHeaders(sent: Dispatcher.DispatchOptions['headers']): Headers {
  const headers = new Headers()
  for (const [name, value] of toHeaderEntries(sent ?? {})) {
    for (const one of Array.isArray(value) ? value : [value]) {
      if (one !== undefined) headers.append(name, String(one))
    }
  }
  return headers
}

type HeaderEntry = readonly [string, unknown]

function toHeaderEntries(sent: NonNullable<Dispatcher.DispatchOptions['headers']>): HeaderEntry[] {
  if (Array.isArray(sent)) {
    const flat = sent as readonly string[]
    return flat.flatMap((name, index) =>
      index % 2 === 0 ? [[name, flat[index + 1]] as const] : [],
    )
  }
  if (Symbol.iterator in sent) return [...(sent as Iterable<HeaderEntry>)]
  return Object.entries(sent)
}

function toHeaderObject({ headers }: Response): Record<string, string | string[]> {
  const cookies = headers.getSetCookie()
  return {
    ...Object.fromEntries(headers),
    ...(cookies.length > 0 ? { 'set-cookie': cookies } : {}),
  }
}

const resetError = (): Error =>
  Object.assign(new errors.SocketError('simulated reset'), { code: 'ECONNRESET' })

const toError = (reason: unknown): Error =>
  reason instanceof Error ? reason : new Error(String(reason))

const emptyBody = (): ReadableStream<Uint8Array> =>
  new ReadableStream({ start: (controller) => controller.close() })
