/** Queues admission reviews: bounds the memory of all of them together, and gives each connection an equal share of the CPU time. */
import type { IncomingMessage, ServerResponse } from 'node:http'
import { sendText } from '../../service/send.ts'
import { parseJson } from '../../lib/json.ts'

/** Within these limits all bodies, and the one that is being parsed, fit into the memory limit of the chart. */
const LIMITS = {
  /** Bytes of one body. The API server accepts no larger request. */
  maxBytes: 3 * 1024 * 1024,
  /**
   * Bytes of all bodies and unread replies in memory. Above this limit the queue evicts the largest one, and the oldest of equal
   * ones. It never evicts small reviews: there is room for one on each connection, even on twice as many connections.
   */
  maxTotalBytes: 24 * 1024 * 1024,
  /** JSON values in one body. V8 needs up to 100 bytes for the two characters of `{}`. */
  maxValues: 80_000,
}

/** The body is not an AdmissionReview, or is larger than any that the API server sends. */
export class MalformedReview extends Error {}

/** There is no room for the review: the queue has evicted it, or too many look-ups of ServiceAccounts wait. */
export class Overloaded extends Error {}

/**
 * Parses the body and calls `work` with the parsed value. The value is not kept between two calls: it can take ten times the
 * memory of the text, and the review waits for the API server in between. Throws `Overloaded`, `MalformedReview` and the errors
 * of `work`.
 */
export type ReadReview = <T>(work: (body: unknown) => T) => Promise<T>

/** A review in memory, from the first byte of its body to the last byte of its reply. */
interface Entry {
  buffer: ArrayBuffer
  /** Bytes counted against `maxTotalBytes`. */
  bytes: number
  evict: () => void
}

/** The initial capacity of a buffer, in bytes. Most reviews are smaller. */
const INITIAL_BYTES = 16_384

/** The minimum cost of a turn, in bytes of parsed text. Much of the work does not depend on the size of the review. */
const MIN_COST = 16_384
/** Parsing `{}` takes as long as parsing this many bytes of text. */
const COST_OF_VALUE = 50

/** Creates a queue: a function that receives the body of a request, and returns functions that parse it and send the reply. */
export function createReviewQueue({ maxBytes, maxTotalBytes, maxValues } = LIMITS) {
  const memory = createMemory(maxTotalBytes)
  const waitForTurn = createFairQueue()

  return async function receiveReview(request: IncomingMessage, response: ServerResponse) {
    const entry: Entry = { buffer: new ArrayBuffer(0), bytes: 0, evict: () => {} }
    memory.add(entry)
    response.once('close', () => {
      memory.release(entry)
      entry.evict()
    })
    const size = await receiveBody(request, entry, memory, maxBytes)
    entry.evict = () => {}
    const bytes = () => {
      if (!memory.has(entry)) throw new Overloaded(TOO_MANY)
      return Buffer.from(entry.buffer, 0, size)
    }
    if (size > MIN_COST) await waitForTurn(size)
    const values = countValues(bytes(), maxValues)
    const read: ReadReview = async (work) => {
      await waitForTurn(Math.max(size + values * COST_OF_VALUE, MIN_COST))
      const body = parseJson(bytes().toString())
      if (body === undefined) throw new MalformedReview('the body is not JSON')
      return work(body)
    }
    /** Sends the JSON of the reply. Its bytes count in place of the body's until the caller has read them. */
    const reply = (text: string) => {
      entry.buffer = entry.buffer.transfer(0)
      entry.evict = () => response.destroy()
      memory.charge(entry, text.length)
      sendText(response, 200, { 'Content-Type': 'application/json' }, text)
    }
    return { read, reply }
  }
}

const TOO_MANY = 'too many reviews at the same time; try again'

type Memory = ReturnType<typeof createMemory>

/** Counts the memory of all reviews, and evicts the largest while they have more than the maximum. */
function createMemory(maxTotalBytes: number) {
  const entries = new Set<Entry>()

  /** Frees the memory at once. In a flood of bodies, garbage collection would free it too late. */
  function release(entry: Entry): void {
    entry.buffer = entry.buffer.transfer(0)
    entries.delete(entry)
  }

  function charge(entry: Entry, bytes: number): void {
    entry.bytes = bytes
    let total = 0
    for (const each of entries) total += each.bytes
    while (total > maxTotalBytes) {
      const [first, ...rest] = entries
      if (first === undefined) return
      const largest = rest.reduce((a, b) => (b.bytes > a.bytes ? b : a), first)
      total -= largest.bytes
      release(largest)
      largest.evict()
    }
  }

  const add = (entry: Entry) => entries.add(entry)
  return { add, has: (entry: Entry) => entries.has(entry), release, charge }
}

/** Reads the body into the buffer of the entry. Resolves to its length in bytes. Throws `MalformedReview` and `Overloaded`. */
function receiveBody(
  request: IncomingMessage,
  entry: Entry,
  memory: Memory,
  maxBytes: number,
): Promise<number> {
  return new Promise((resolve, reject) => {
    let size = 0
    const fail = (error: Error) => {
      memory.release(entry)
      // The rest of the body is read and dropped, so that the connection can be used again.
      request.off('data', onData).resume()
      reject(error)
    }
    // Copied into one buffer: kept as chunks, a body that arrives byte by byte would take hundreds of times its size.
    const onData = (chunk: Buffer) => {
      const end = size + chunk.length
      if (end > maxBytes) {
        fail(new MalformedReview(`the body is larger than ${maxBytes} bytes`))
        return
      }
      if (end > entry.buffer.byteLength) {
        const capacity = Math.max(end, 2 * entry.buffer.byteLength, INITIAL_BYTES)
        entry.buffer = entry.buffer.transfer(Math.min(capacity, maxBytes))
        memory.charge(entry, entry.buffer.byteLength)
      }
      if (memory.has(entry)) new Uint8Array(entry.buffer).set(chunk, size)
      size = end
    }
    entry.evict = () => fail(new Overloaded(TOO_MANY))
    request.on('data', onData)
    request.once('end', () => resolve(size))
  })
}

interface Turn {
  /** The virtual time at which the turn would end if each connection had its own share of the processor. */
  readonly finish: number
  readonly start: () => void
}

/**
 * Creates a self-clocked fair queue (Golestani). The function that it returns resolves when it is the caller's turn. The turn
 * that would finish first is next, so a small body overtakes large ones. Virtual time advances with each turn, so small bodies
 * cannot delay a large one for ever. A connection has one review at a time, so the queue need not remember earlier ones.
 */
function createFairQueue(): (cost: number) => Promise<void> {
  const waiting: Turn[] = []
  let virtualTime = 0

  /** Starts one turn in each round of the event loop, so that sockets are served in between. */
  function startNext(): void {
    const [first, ...rest] = waiting
    if (first === undefined) return
    const next = rest.reduce((a, b) => (b.finish < a.finish ? b : a), first)
    waiting.splice(waiting.indexOf(next), 1)
    virtualTime = next.finish
    next.start()
    if (waiting.length > 0) setImmediate(startNext)
  }

  return (cost) =>
    new Promise((resolve) => {
      waiting.push({ finish: virtualTime + cost, start: resolve })
      if (waiting.length === 1) setImmediate(startNext)
    })
}

/** The maximum nesting. Kubernetes objects have some tens of levels, and recursive functions can handle this many. */
const MAX_DEPTH = 500

const [QUOTE = 0, BACKSLASH = 0, COMMA = 0] = Buffer.from('"\\,')
const OPENING: ReadonlySet<number | undefined> = new Set(Buffer.from('{['))
const CLOSING: ReadonlySet<number | undefined> = new Set(Buffer.from('}]'))

/** Counts the values of a JSON text. Throws `MalformedReview` if there are too many, or they are nested too deep. */
function countValues(json: Uint8Array, maxValues: number): number {
  let values = 1
  let depth = 0
  let isString = false
  for (let at = 0; at < json.length; at += 1) {
    const byte = json[at]
    if (byte === QUOTE) isString = !isString
    else if (isString) at += byte === BACKSLASH ? 1 : 0
    else if (byte === COMMA) values += 1
    else if (CLOSING.has(byte)) depth -= 1
    else if (OPENING.has(byte)) {
      values += 1
      depth += 1
      if (depth > MAX_DEPTH)
        throw new MalformedReview(`the body is nested deeper than ${MAX_DEPTH}`)
    }
  }
  if (values > maxValues) {
    throw new MalformedReview(`the body has more than ${maxValues} JSON values`)
  }
  return values
}
