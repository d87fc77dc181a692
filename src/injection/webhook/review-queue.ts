/** Queues admission reviews: bounds the memory of all of them together, and gives each connection an equal share of the work. */
import type { IncomingMessage, ServerResponse } from 'node:http'
import { sendText } from '../../service/send.ts'
import { parseJson } from '../../lib/json.ts'

/** Together with the parsed body of the review in turn, they fit into the memory limit of the chart. */
const LIMITS = {
  /** Bytes of one body. The API server accepts no larger request. */
  maxBytes: 3 * 1024 * 1024,
  /**
   * Bytes of all bodies and unread replies in memory. Beyond it the largest is evicted with 503; of equal ones, the oldest.
   * Small reviews are never evicted: there is room for one on each connection, even for twice as many connections.
   */
  maxTotalBytes: 24 * 1024 * 1024,
  /** JSON values in one body. V8 needs up to 100 bytes for the two characters of `{}`. */
  maxValues: 80_000,
}

/** The body is not an AdmissionReview, or is larger than any that the API server sends. */
export class MalformedReview extends Error {}

/** The review was evicted, or not begun, to make room for others. */
export class Overloaded extends Error {}

/**
 * Parses the body and calls `work` with the value. No value is kept between two calls: a parsed body can
 * take ten times the memory of its text, and reviews wait for the API server between them. Throws
 * `Overloaded`, `MalformedReview` and what `work` throws.
 */
export type ReadReview = <T>(work: (body: unknown) => T) => Promise<T>

/** A review in memory, from the first byte of its body to the last byte of its reply. */
interface Entry {
  buffer: ArrayBuffer
  /** Bytes counted against `maxTotalBytes`. */
  bytes: number
  evict: () => void
}

/** Capacity of a new buffer; most pods are smaller. */
const INITIAL_BYTES = 16_384

/** The least cost of a turn, in parsed bytes: much of the work is the same for each review. */
const MIN_COST = 16_384
/** Parsing `{}` takes as long as parsing this many bytes of text. */
const COST_OF_VALUE = 50

/** Creates a queue: a function that receives the body of one request. */
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
    /** Sends the JSON of the reply, which counts instead of the body until the caller has taken it. */
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

/** Creates the bound on the memory of all reviews. */
function createMemory(maxTotalBytes: number) {
  const entries = new Set<Entry>()

  /** Frees the memory now: garbage collection would come too late for a flood of bodies. */
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

/** Resolves to the length of the body. */
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
    // Copies, because a body that comes byte by byte would take hundreds of times its size in chunks.
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
 * Creates a self-clocked fair queue (Golestani): the function resolves when it is the caller's turn. The turn that would
 * finish first is next, so a small body passes large ones, and a large one is passed by no more than its share: virtual
 * time goes on with each turn. A connection has one review at a time, so its share needs no memory of earlier ones.
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

/** No Kubernetes object is nested deeper than some tens of levels; recursion copes with this many. */
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
