/** Reads what a server sent until it closed as replies, and throws for whatever is none. */

interface Reply {
  readonly status: number
  /** Parsed; undefined for a reply without one. */
  readonly body: unknown
}

const STATUS_LINE = /^HTTP\/1\.1 (\d{3}) [\x20-\x7e]+$/
const HEADER = /^[\w-]+: [\x20-\x7e]*$/

/** Each has a well-formed head, its length, and JSON of that length unless it answers a HEAD. */
export function repliesIn(received: string): Reply[] {
  const replies: Reply[] = []
  let rest = received
  while (rest !== '') {
    const end = rest.indexOf('\r\n\r\n')
    if (end < 0) throw new Error(`half a head: ${JSON.stringify(rest)}`)
    const [statusLine = '', ...lines] = rest.slice(0, end).split('\r\n')
    const [, status] = STATUS_LINE.exec(statusLine) ?? []
    const odd = lines.filter((line) => !HEADER.test(line))
    if (status === undefined || odd.length > 0) {
      throw new Error(`not a head: ${JSON.stringify([statusLine, ...odd])}`)
    }
    rest = rest.slice(end + 4)
    if (status === '100') continue
    const { body, after } = bodyOf(rest, lengthOf(lines))
    replies.push({ status: Number(status), body })
    rest = after
  }
  return replies
}

function lengthOf(lines: readonly string[]): number {
  const lengths = lines.filter((line) => /^content-length:/i.test(line))
  const [, digits] = /^content-length: (\d+)$/i.exec(lengths[0] ?? '') ?? []
  if (lengths.length !== 1 || digits === undefined) {
    throw new Error(`not one length: ${JSON.stringify(lines)}`)
  }
  return Number(digits)
}

function bodyOf(text: string, length: number): { body: unknown; after: string } {
  // The reply to a HEAD says the length of a body that it does not have.
  if (text === '' || text.startsWith('HTTP/1.1 ')) return { body: undefined, after: text }
  if (text.length < length) throw new Error(`half a body: ${JSON.stringify(text)}`)
  return { body: JSON.parse(text.slice(0, length)), after: text.slice(length) }
}
