/** Reads what a broker sends and prints, line by line, and no more of it than the agent allows. */
import { setImmediate as nextTurn, setTimeout as sleep } from 'node:timers/promises'
import { errorMessage } from '../../lib/describe-error.ts'
import { scrubAndTruncate } from '../../lib/secret.ts'
import { MAX_LINE_BYTES } from '../broker/messages.ts'
import { createBucket } from './bucket.ts'

/** The lines of a broker that are read at once, and in a second. Each KiB, and each read, counts as a line. */
const BURST = 8192
const LINES_PER_SECOND = 400
const PAUSE_MS = 50
/** A read can have thousands of lines: between so many the agent does what others wait for. */
const LINES_PER_TURN = 64
const MAX_PARTS = 256
const MAX_PROBLEM_CHARS = 2000

type OnLine = (line: string) => unknown

/** A broker has sent what no broker sends, or what could not be handled. */
export class Misuse extends Error {}

/**
 * Passes on the lines of the stream, without their ends, until it ends. A line is handled before the next one is read, and only
 * so many in a second, so a broker that sends too fast waits in the kernel. Returns what no broker does: a line that is too long,
 * or that `onLine` cannot handle; undefined if the broker has ended.
 */
export async function readLines(
  stream: AsyncIterable<Buffer>,
  onLine: OnLine,
): Promise<string | undefined> {
  try {
    for await (const bytes of splitLines(stream)) await handle(bytes.toString(), onLine)
  } catch (error) {
    // Other errors are of the stream, which ends with the broker.
    return error instanceof Misuse ? error.message : undefined
  }
  return undefined
}

/** Calls the handler. Throws its `Misuse`, or a new one for another error, such as that a value is nested too deeply. */
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
    // Parts of a byte would take hundreds of bytes each.
    if (parts.length === MAX_PARTS) parts = [Buffer.concat(parts)]
    if (size > MAX_LINE_BYTES)
      throw new Misuse(`it sent a line of more than ${MAX_LINE_BYTES} bytes`)
  }
}

/** Returns what a broker says, as far as it goes into events and logs of the agent. */
export const cut = (text: string) => scrubAndTruncate(text, MAX_PROBLEM_CHARS)
