/** Response bodies that misbehave: slow, cut off, too big. */
import { setTimeout as delay } from 'node:timers/promises'

/** The same response with its body in pieces, one every `everyMs`. */
export function slowly(response: Response, chunkBytes: number, everyMs: number): Response {
  return withBody(response, async function* slices(body) {
    for (let offset = 0; offset < body.length; offset += chunkBytes) {
      if (offset > 0) await delay(everyMs, undefined, { ref: false })
      yield body.subarray(offset, offset + chunkBytes)
    }
  })
}

/** The first half of the body, then an error: the port adapter resets the connection at it. */
export function resetMidBody(response: Response): Response {
  return withBody(response, async function* half(body) {
    yield body.subarray(0, Math.ceil(body.length / 2))
    // Time for the first half to leave; a reset would discard what is still in the send buffer.
    await delay(20)
    throw new Error('simulated reset')
  })
}

/** 200 and a JSON body of this many bytes; its length is not announced. */
export function oversized(bytes: number): Response {
  const chunk = new TextEncoder().encode('x'.repeat(65_536))
  const parts = function* parts() {
    const [head, tail] = ['{"access_token":"', '"}']
    yield new TextEncoder().encode(head)
    for (let left = bytes - head.length - tail.length; left > 0; left -= chunk.length) {
      yield chunk.subarray(0, left)
    }
    yield new TextEncoder().encode(tail)
  }
  return new Response(ReadableStream.from(parts()), {
    headers: { 'content-type': 'application/json; charset=utf-8' },
  })
}

function withBody(
  response: Response,
  parts: (body: Uint8Array) => AsyncGenerator<Uint8Array>,
): Response {
  const stream = async function* stream() {
    yield* parts(new Uint8Array(await response.arrayBuffer()))
  }
  return new Response(ReadableStream.from(stream()), response)
}
