/** Reads what a broker sends and prints, line by line, and no more of it than the agent allows. */
import { errorMessage } from '../../lib/describe-error.ts'
import { scrubAndTruncate } from '../../lib/scrub.ts'
import { createBucket } from './bucket.ts'

const MAX_LINE_BYTES = 256 * 1024
/** The lines that a broker may send at once, and in a second. Each KiB, and each read, counts as a line. */
const BURST = 8192
const LINES_PER_SECOND = 400
const MAX_PARTS = 256
const MAX_PROBLEM_CHARS = 2000

/** Handles a line. Returns true if the agent has asked for it, so that it does not count as sent too fast. */
type OnLine = (line: string) => unknown

/** Returns what a line of so many characters counts, besides the reads. */
export const costOf = (chars: number) => 1 + chars / 1024

/** A broker has sent what no broker sends, or what could not be handled. */
export class Misuse extends Error {}

/**
 * Passes on the lines of the stream, without their ends, until it ends. A line is handled before the next one is read, so a
 * broker that sends too fast waits in the kernel. Returns what no broker does: lines that are too long or too many, or that
 * `onLine` cannot handle; undefined if the broker has ended.
 */
export async function readLines(
  stream: AsyncIterable<Buffer>,
  onLine: OnLine,
): Promise<string | undefined> {
  const allow = createAllowance()
  try {
    for await (const bytes of splitLines(stream, allow)) {
      const line = bytes.toString()
      if ((await handle(line, onLine)) === true) allow(-costOf(line.length))
    }
  } catch (error) {
    // Other errors are of the stream, which ends with the broker.
    return error instanceof Misuse ? error.message : undefined
  }
  return undefined
}

/** Calls the handler. Throws its `Misuse`, or a new one for another error, such as that a value is nested too deeply. */
async function handle(line: string, onLine: OnLine): Promise<unknown> {
  try {
    return await onLine(line)
  } catch (error) {
    if (error instanceof Misuse) throw error
    throw new Misuse(`it sent a line that could not be handled: ${errorMessage(error)}`, {
      cause: error,
    })
  }
}

async function* splitLines(
  stream: AsyncIterable<Buffer>,
  allow: (count: number) => void,
): AsyncGenerator<Buffer> {
  let parts: Buffer[] = []
  let size = 0
  for await (const chunk of stream) {
    allow(1 + chunk.length / 1024)
    let start = 0
    for (let end = chunk.indexOf('\n'); end !== -1; end = chunk.indexOf('\n', start)) {
      allow(1)
      yield Buffer.concat([...parts, chunk.subarray(start, end)])
      parts = []
      size = 0
      start = end + 1
    }
    parts.push(chunk.subarray(start))
    size += chunk.length - start
    // Parts of a byte would take hundreds of bytes each.
    if (parts.length === MAX_PARTS) parts = [Buffer.concat(parts)]
    if (size > MAX_LINE_BYTES)
      throw new Misuse(`it sent a line of more than ${MAX_LINE_BYTES} bytes`)
  }
}

/** Creates the function that counts lines, or takes back a count, and throws for one too many. */
function createAllowance(): (count: number) => void {
  const take = createBucket(BURST, LINES_PER_SECOND)
  return (count) => {
    if (!take(count))
      throw new Misuse(`it sent more than ${LINES_PER_SECOND} lines or KiB a second`)
  }
}

/** Returns what a broker says, as far as it goes into events and logs of the agent. */
export const cut = (text: string) => scrubAndTruncate(text, MAX_PROBLEM_CHARS)
