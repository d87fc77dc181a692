/** Finds the uid of the program at the other end of a connection, in the kernel's tables of TCP sockets. */
import { createReadStream } from 'node:fs'
import type { Socket } from 'node:net'
import { BrokerError } from '../../lib/errors.ts'
import { errorCode } from '../../lib/describe-error.ts'
import { METADATA_IP, METADATA_PORT } from '../../lib/hosts.ts'
import { DOCS_URL } from '../../lib/version.ts'

/**
 * Returns the uid that opened the other end of the connection, which is looked up once for each connection;
 * undefined if it is not in this network namespace, or has closed. Throws `caller_not_allowed` if the tables
 * cannot be read.
 */
export type FindPeerUid = (socket: PeerSocket) => Promise<number | undefined>

type PeerSocket = Pick<Socket, 'remoteAddress' | 'remotePort' | 'localAddress' | 'localPort'> &
  object

/** Reads a file of `/proc`, in pieces of any length. */
export type ReadTable = (path: string) => AsyncIterable<string>

/** The uids of established sockets, by both their ends. */
type Uids = ReadonlyMap<string, number>

/** IPv4 sockets, and IPv6 sockets, whose peer may be IPv4 (v4-mapped). */
const TABLES = ['/proc/self/net/tcp', '/proc/self/net/tcp6'] as const

/**
 * The kernel writes a table in pages, so that a socket can be missing while others are opened and closed. Then
 * it is read again.
 */
const MAX_READS = 3

/** A node's table has megabytes: a promise that resolves to it would keep them until the next read. */
const dropTable = (): void => {}

/**
 * Creates the look-up. Only a read that begins after the connection counts, since an earlier one may show the program
 * that had the port before. Reading costs time for each socket of the network namespace, so a flood of connections gets
 * one read at a time, which all connections share that were accepted before it began, and other work runs between its
 * pieces.
 */
export function createPeerUidLookup(readTable: ReadTable = readFileInPieces): FindPeerUid {
  const found = new WeakMap<PeerSocket, Promise<number | undefined>>()
  /** The read that begins when the last one ends. */
  let next: Promise<Uids> | undefined
  let last: Promise<void> = Promise.resolve()

  function readNext(): Promise<Uids> {
    next ??= last.then(() => {
      next = undefined
      return readUids(readTable)
    })
    last = next.then(dropTable, dropTable)
    return next
  }

  async function findUid(socket: PeerSocket): Promise<number | undefined> {
    const keys = createKeys(socket)
    for (let reads = 0; reads < MAX_READS; reads += 1) {
      const uids = await readNext()
      const key = keys.find((each) => uids.has(each))
      if (key !== undefined) return uids.get(key)
    }
    return undefined
  }

  return (socket) => {
    const uid = found.get(socket) ?? findUid(socket)
    found.set(socket, uid)
    // The process may have no file descriptor left: the next request of the connection tries again.
    uid.catch(() => found.delete(socket))
    return uid
  }
}

/**
 * Returns how the tables show the other side's socket: connected to this address, or to the address of the metadata
 * service, which the redirect replaces. Both ends are compared, since another program may use the same port
 * for another destination.
 */
function createKeys({ remoteAddress, remotePort, localAddress, localPort }: PeerSocket): string[] {
  const own = formatEnd(remoteAddress, remotePort)
  return [formatEnd(localAddress, localPort), formatEnd(METADATA_IP, METADATA_PORT)].map(
    (other) => `${own} ${other}`,
  )
}

/** Formats an address and a port as the tables do: words of 32 bits in the byte order of the machine. */
function formatEnd(address = '', port = 0): string {
  return `${formatAddress(address)}:${port.toString(16).toUpperCase().padStart(4, '0')}`
}

function formatAddress(address: string): string {
  const ipv4 = /^(?:::ffff:)?(\d+)\.(\d+)\.(\d+)\.(\d+)$/i.exec(address)
  const bytes = ipv4?.slice(1).map(Number) ?? parseIpv6(address)
  // Little-endian, as all the machines that images exist for.
  const words = Array.from({ length: bytes.length / 4 }, (_, at) => bytes.slice(4 * at, 4 * at + 4))
  return words
    .flatMap((word) => word.toReversed())
    .map((byte) => byte.toString(16).toUpperCase().padStart(2, '0'))
    .join('')
}

function parseIpv6(address: string): number[] {
  const [head = [], tail = []] = address
    .replace(/%.*/, '')
    .split('::')
    .map((part) => (part === '' ? [] : part.split(':').map((group) => Number.parseInt(group, 16))))
  const zeros = Array.from({ length: 8 - head.length - tail.length }, () => 0)
  return [...head, ...zeros, ...tail].flatMap((group) => [group >> 8, group & 0xff])
}

/**
 * `sl: local remote state queues timer retransmits uid timeout inode`, where v4-mapped addresses lose
 * their prefix. Only an established connection (01) counts: the row of another program whose connection from
 * the same port this server has closed stays until that program closes it too.
 */
const ROW =
  /^ *\d+: (?:0{16}FFFF0{4})?([\dA-F]+:[\dA-F]{4}) (?:0{16}FFFF0{4})?([\dA-F]+:[\dA-F]{4}) 01 \S+ \S+ \S+ +(\d+) +\d+ ([1-9]\d*) /

/** Reads the tables. A socket without an inode has been closed, and shows 0 as its uid. */
async function readUids(readTable: ReadTable): Promise<Uids> {
  const uids = new Map<string, number>()
  for (const path of TABLES) {
    try {
      let rest = ''
      for await (const piece of readTable(path)) {
        const lines = (rest + piece).split('\n')
        rest = lines.pop() ?? ''
        for (const line of lines) {
          const [, own, other, uid] = ROW.exec(line) ?? []
          if (uid !== undefined) uids.set(`${own} ${other}`, Number(uid))
        }
      }
    } catch (error) {
      // Without IPv6 there is no such table.
      if (path.endsWith('6') && errorCode(error) === 'ENOENT') continue
      throw new BrokerError(
        'caller_not_allowed',
        `the uid of the caller is not known: ${path} cannot be read (${errorCode(error)})`,
        {
          fix: `keep the NODE_OPTIONS of the image, or allow reading ${path}: ${DOCS_URL}/security.html`,
          cause: error,
        },
      )
    }
  }
  return uids
}

/** The kernel returns 4 KiB at a time, so that a large buffer for each read would be garbage. */
const readFileInPieces: ReadTable = (path) =>
  createReadStream(path, { encoding: 'latin1', highWaterMark: 4096 })
