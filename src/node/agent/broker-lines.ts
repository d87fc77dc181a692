/** Reads the messages and the output of a broker, line by line and at a limited rate. */
import { setImmediate as nextTurn, setTimeout as sleep } from 'node:timers/promises'
import { errorMessage } from '../../lib/describe-error.ts'
import { scrubAndTruncate } from '../../lib/secret.ts'
import { MAX_LINE_BYTES } from '../broker/messages.ts'
import { createBucket } from './bucket.ts'

/** How many lines of a broker the agent reads at once, and then in a second. Each KiB and each read counts as a line. */
const BURST = 8192
const LINES_PER_SECOND = 400
const PAUSE_MS = 50
/** How many lines the agent handles before its other work gets a turn: one read can have thousands. */
const LINES_PER_TURN = 64
const MAX_PARTS = 256
const MAX_PROBLEM_CHARS = 2000

type OnLine = (line: string) => unknown

/** A broker has sent a line that no broker sends, or that the agent could not handle. */
export class Misuse extends Error {}

/**
 * Passes on the lines of the stream, without their line ends, until the stream ends. Handles a line before it reads the next
 * one, and at a limited rate, so the kernel blocks a broker that sends too fast. Returns how the broker misused the stream: by
 * a line that is too long, or that `onLine` cannot handle. Returns undefined if the broker has ended.
 */
export async function readLines(
  stream: AsyncIterable<Buffer>,
  onLine: OnLine,
): Promise<string | undefined> {
  try {
    for await (const bytes of splitLines(stream)) await handle(bytes.toString(), onLine)
  } catch (error) {
    // Any other error is one of the stream, which ends with the broker.
    return error instanceof Misuse ? error.message : undefined
  }
  return undefined
}

/** Calls the handler. Throws a `Misuse` for each error, such as for a value that is nested too deeply. */
async function handle(line: string, onLine: OnLine): Promise<void> {
  try {
    await onLine(line)
  } catch (error) {
    if (error instanceof Misuse) throw error
    throw new Misuse(`it sent a line that could not be handled: ${errorMessage(error)}`, {
      cause: error,
    })
  }
}

async function* splitLines(stream: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  const take = createBucket(BURST, LINES_PER_SECOND)
  const pace = async (count: number) => {
    while (!take(count)) await sleep(PAUSE_MS)
  }
  let parts: Buffer[] = []
  let size = 0
  let count = 0
  for await (const chunk of stream) {
    await pace(1 + chunk.length / 1024)
    let start = 0
    for (let end = chunk.indexOf('\n'); end !== -1; end = chunk.indexOf('\n', start)) {
      await pace(1)
      if ((count += 1) % LINES_PER_TURN === 0) await nextTurn()
      yield Buffer.concat([...parts, chunk.subarray(start, end)])
      parts = []
      size = 0
      start = end + 1
    }
    parts.push(chunk.subarray(start))
    size += chunk.length - start
    // A part of a single byte would take hundreds of bytes of memory.
    if (parts.length === MAX_PARTS) parts = [Buffer.concat(parts)]
    if (size > MAX_LINE_BYTES)
      throw new Misuse(`it sent a line of more than ${MAX_LINE_BYTES} bytes`)
  }
}

/** Scrubs and truncates a text of a broker for the events and logs of the agent. */
export const cut = (text: string) => scrubAndTruncate(text, MAX_PROBLEM_CHARS)
