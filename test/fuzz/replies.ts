/** Parses the bytes of a connection as HTTP replies, and throws for anything else. */

interface Reply {
  readonly status: number
  /** The parsed JSON; undefined for a reply without a body. */
  readonly body: unknown
}

const STATUS_LINE = /^HTTP\/1\.1 (\d{3}) [\x20-\x7e]+$/
const HEADER = /^[\w-]+: [\x20-\x7e]*$/

/** Each reply must have a valid head, one length, and JSON of that length unless it answers a HEAD. */
export function parseReplies(received: string): Reply[] {
  const replies: Reply[] = []
  let rest = received
  while (rest !== '') {
    const end = rest.indexOf('\r\n\r\n')
    if (end < 0) throw new Error(`incomplete head: ${JSON.stringify(rest)}`)
    const [statusLine = '', ...lines] = rest.slice(0, end).split('\r\n')
    const [, status] = STATUS_LINE.exec(statusLine) ?? []
    const invalid = lines.filter((line) => !HEADER.test(line))
    if (status === undefined || invalid.length > 0) {
      throw new Error(`invalid head: ${JSON.stringify([statusLine, ...invalid])}`)
    }
    rest = rest.slice(end + 4)
    if (status === '100') continue
    const { body, after } = parseBody(rest, parseLength(lines))
    replies.push({ status: Number(status), body })
    rest = after
  }
  return replies
}

function parseLength(lines: readonly string[]): number {
  // Node's own reply to what is no request
  if (lines.join() === 'Connection: close') return 0
  const lengths = lines.filter((line) => /^content-length:/i.test(line))
  const [, digits] = /^content-length: (\d+)$/i.exec(lengths[0] ?? '') ?? []
  if (lengths.length !== 1 || digits === undefined) {
    throw new Error(`no single length: ${JSON.stringify(lines)}`)
  }
  return Number(digits)
}

function parseBody(text: string, length: number): { body: unknown; after: string } {
  // The reply to a HEAD has the length of a body that is not sent.
  if (text === '' || text.startsWith('HTTP/1.1 ')) return { body: undefined, after: text }
  if (text.length < length) throw new Error(`incomplete body: ${JSON.stringify(text)}`)
  return { body: JSON.parse(text.slice(0, length)), after: text.slice(length) }
}
