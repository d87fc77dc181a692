/** Reads the bodies of reviews, all of them together within bounds, whoever sends them. */
import type { IncomingMessage } from 'node:http'
import { MalformedReview } from './admission.ts'

interface BodyLimits {
  /** Of one review. Beyond it the review is malformed. */
  readonly maxBytes: number
  /** Of all reviews that arrive or wait. Beyond it the largest is given up, of equal ones the oldest. */
  readonly maxArrivingBytes: number
  /**
   * Of memory for all reviews that are being decided. Beyond it they wait, and the smallest goes first; one
   * that needs more by itself is malformed.
   */
  readonly maxDecidingBytes: number
}

/** A review was given up, to make room for others. */
export class ReviewGivenUp extends Error {}

/**
 * Has `decide` decide on the JSON that a request brings. Throws `MalformedReview`, `ReviewGivenUp`, what
 * `decide` throws, and what the request fails with if its caller hangs up.
 */
type ReviewReader = <T>(
  request: IncomingMessage,
  decide: (body: unknown) => Promise<T>,
) => Promise<T>

/** A body that arrives, or waits to be decided on. */
interface Body {
  buffer: ArrayBuffer
  /** Bytes that have come; they may be more than are kept. */
  size: number
  /** Bytes of memory that its decision takes; undefined until all of it has come. */
  cost: number | undefined
  readonly begin: (turn: Turn) => void
  readonly refuse: (error: Error) => void
}

/** A body whose time has come. */
interface Turn {
  readonly text: string
  readonly cost: number
}

/** Of a new buffer. The pods of most reviews need no more. */
const FIRST_BYTES = 32_768

/** A reader whose limits hold for all requests together that it is called with. */
export function reviewBodies({
  maxBytes,
  maxArrivingBytes,
  maxDecidingBytes,
}: BodyLimits): ReviewReader {
  const held = new Set<Body>()
  let decidingBytes = 0

  /** Frees the memory at once, not when garbage is collected: bodies come faster than that. */
  function forget(body: Body): void {
    body.buffer = body.buffer.transfer(0)
    held.delete(body)
  }

  /** Copies, since what comes byte by byte would take hundreds of times its size in pieces. */
  function take(body: Body, chunk: Buffer): void {
    const { size, buffer } = body
    body.size += chunk.length
    // Read on, though not kept: what is left unread would hold back the connection's next request.
    if (body.size > maxBytes) forget(body)
    if (!held.has(body)) return
    if (body.size > buffer.byteLength) {
      const grown = Math.max(body.size, 2 * buffer.byteLength, FIRST_BYTES)
      body.buffer = buffer.transfer(Math.min(grown, maxBytes))
      makeRoom()
    }
    if (held.has(body)) new Uint8Array(body.buffer).set(chunk, size)
  }

  function makeRoom(): void {
    const largestFirst = [...held].toSorted((a, b) => b.buffer.byteLength - a.buffer.byteLength)
    let bytes = largestFirst.reduce((sum, { buffer }) => sum + buffer.byteLength, 0)
    for (const body of largestFirst) {
      if (bytes <= maxArrivingBytes) return
      bytes -= body.buffer.byteLength
      forget(body)
      body.refuse(new ReviewGivenUp('too many reviews at once; try again'))
    }
  }

  function decideNext(): void {
    const whole = [...held].flatMap((body) =>
      body.cost === undefined ? [] : [{ body, cost: body.cost }],
    )
    for (const { body, cost } of whole.toSorted((a, b) => a.cost - b.cost)) {
      if (decidingBytes + cost > maxDecidingBytes) return
      decidingBytes += cost
      const text = Buffer.from(body.buffer, 0, body.size).toString()
      forget(body)
      body.begin({ text, cost })
    }
  }

  function ended(body: Body): void {
    const cost = held.has(body) ? costOf(new Uint8Array(body.buffer, 0, body.size)) : 0
    if (body.size > maxBytes || cost > maxDecidingBytes) {
      forget(body)
      body.refuse(new MalformedReview('the review is too large'))
    } else {
      body.cost = cost
      decideNext()
    }
  }

  function turnOf(request: IncomingMessage): Promise<Turn> {
    return new Promise((resolve, reject) => {
      const body: Body = {
        buffer: new ArrayBuffer(0),
        size: 0,
        cost: undefined,
        begin: resolve,
        refuse: reject,
      }
      held.add(body)
      request.on('data', (chunk: Buffer) => take(body, chunk))
      request.once('end', () => ended(body))
      request.once('error', (error) => {
        forget(body)
        reject(error)
      })
    })
  }

  return async (request, decide) => {
    const { text, cost } = await turnOf(request)
    try {
      return await decide(parsed(text))
    } finally {
      decidingBytes -= cost
      // Not at once: smaller ones may have come in the meantime.
      if (held.size > 0) setImmediate(decideNext)
    }
  }
}

/** What V8 takes for an empty object and its place in an array, and as much again for what is made of it. */
const BYTES_OF_VALUE = 300

const [QUOTE = 0, BACKSLASH = 0, COMMA = 0, BRACE = 0, BRACKET = 0] = Buffer.from('"\\,{[')

/** The memory for JSON and what it becomes, which for `[{},{},{}]` is more than twenty times as much. */
function costOf(json: Uint8Array): number {
  let values = 1
  let isText = false
  for (let at = 0; at < json.length; at += 1) {
    const byte = json[at]
    if (byte === QUOTE) isText = !isText
    else if (isText) at += byte === BACKSLASH ? 1 : 0
    else if (byte === COMMA || byte === BRACE || byte === BRACKET) values += 1
  }
  return json.length + values * BYTES_OF_VALUE
}

function parsed(text: string): unknown {
  try {
    const json: unknown = JSON.parse(text)
    return json
  } catch {
    throw new MalformedReview('the body is not JSON')
  }
}
