/**
 * A SQL Server that lets anyone in who brings a token of Entra ID (MS-TDS). It reads the token of a login in both ways: of a
 * client that asks where to get it (FEDAUTHINFO), and of one that has it already (LOGIN7).
 */
import { createServer, type Socket } from 'node:net'
import { Duplex } from 'node:stream'
import { createSecureContext, type SecureContext, TLSSocket } from 'node:tls'
import { listening } from '../../fixtures/listening.ts'

export interface SqlServerOptions {
  readonly cert: string
  readonly key: string
  readonly host: string
  readonly onToken: (token: string) => void
}

/** Types of messages (MS-TDS 2.2.3.1.1). */
const LOGIN7 = 0x10
const PRELOGIN = 0x12
const FEDAUTH_TOKEN = 0x08
const REPLY = 0x04
const HEADER_BYTES = 8
/** The last packet of a message. */
const END_OF_MESSAGE = 0x01
/** The first byte of a TLS record with data of the application, which ends the handshake. */
const TLS_DATA = 0x17

/** The feature of LOGIN7 for tokens, and how a client gets its own. */
const FEDAUTH = 0x02
const ASKS_FOR_SERVER_INFO = 0x02
const LAST_FEATURE = 0xff

const utf16 = (text: string): Buffer => Buffer.from(text, 'utf16le')
const uint16 = (value: number): Buffer => Buffer.from([value & 0xff, value >> 8])
function uint32(value: number): Buffer {
  const bytes = Buffer.alloc(4)
  bytes.writeUInt32LE(value)
  return bytes
}

/** Starts the server on port 1433. */
export async function startSqlServer(options: SqlServerOptions): Promise<AsyncDisposable> {
  // With TLS 1.3 the server would send session tickets after the handshake, and they could be taken for a part of it.
  const secureContext = createSecureContext({ ...options, maxVersion: 'TLSv1.2' })
  const server = createServer((socket) => {
    socket.on('error', () => {})
    void serve(socket, secureContext, options.onToken).catch(() => socket.destroy())
  })
  return await listening(server, 1433, options.host)
}

async function serve(
  socket: Socket,
  secureContext: SecureContext,
  onToken: (token: string) => void,
): Promise<void> {
  const plain = readMessages(socket)
  const first = (await plain.next()).value
  if (first?.type !== PRELOGIN) throw new Error('a connection must begin with PRELOGIN')
  socket.write(createMessage(createPrelogin()))
  const tls = new TLSSocket(createHandshakeStream(socket, plain), { isServer: true, secureContext })
  tls.on('error', () => socket.destroy())
  for await (const { type, body } of readMessages(tls)) {
    if (type === LOGIN7) {
      const login = parseLogin(body)
      if (login === undefined) throw new Error('a login must use a token of Entra ID')
      if (login.token === undefined) {
        tls.write(createMessage(createServerInfo()))
        continue
      }
      onToken(login.token)
      tls.write(createMessage(createLoginReply()))
    } else if (type === FEDAUTH_TOKEN) {
      onToken(body.subarray(8, 8 + body.readUInt32LE(4)).toString('utf16le'))
      tls.write(createMessage(createLoginReply()))
    } else {
      // A batch, such as SET TRANSACTION ISOLATION LEVEL.
      tls.write(createMessage(DONE))
    }
  }
}

interface Message {
  readonly type: number
  readonly body: Buffer
}

/** Reads messages, each of one packet or more. After the handshake, each chunk of TLS records is a message. */
async function* readMessages(stream: Duplex): AsyncGenerator<Message, undefined> {
  let received = Buffer.alloc(0)
  let body = Buffer.alloc(0)
  for await (const chunk of stream) {
    received = Buffer.concat([received, chunk])
    while (received.length > 0) {
      if (received[0] === TLS_DATA || received[0] === 0x15) {
        yield { type: TLS_DATA, body: received }
        received = Buffer.alloc(0)
        break
      }
      if (received.length < HEADER_BYTES || received.length < received.readUInt16BE(2)) break
      const length = received.readUInt16BE(2)
      const [type = 0, status = 0] = received
      body = Buffer.concat([body, received.subarray(HEADER_BYTES, length)])
      received = received.subarray(length)
      if ((status & END_OF_MESSAGE) === 0) continue
      yield { type, body }
      body = Buffer.alloc(0)
    }
  }
  return undefined
}

/** Creates the stream of TLS. During the handshake the bodies of PRELOGIN messages carry its records; later nothing wraps them. */
function createHandshakeStream(socket: Socket, messages: AsyncGenerator<Message>): Duplex {
  let isHandshake = true
  const stream = new Duplex({
    read() {},
    write(chunk: Buffer, _encoding, done) {
      socket.write(isHandshake ? createMessage(chunk, PRELOGIN) : chunk, done)
    },
    final(done) {
      socket.end(done)
    },
    destroy(error, done) {
      socket.destroy()
      done(error)
    },
  })
  void (async () => {
    for await (const { type, body } of messages) {
      isHandshake = type !== TLS_DATA
      stream.push(body)
    }
    stream.push(null)
  })().catch(() => stream.destroy())
  return stream
}

function createMessage(body: Buffer, type = REPLY): Buffer {
  const header = Buffer.from([type, END_OF_MESSAGE, 0, 0, 0, 0, 1, 0])
  header.writeUInt16BE(HEADER_BYTES + body.length, 2)
  return Buffer.concat([header, body])
}

/** Version 16, encryption of everything, and a login by tokens (MS-TDS 2.2.6.5). */
function createPrelogin(): Buffer {
  const options = [
    { token: 0x00, data: Buffer.from([16, 0, 0x10, 0, 0, 0]) },
    { token: 0x01, data: Buffer.from([0x01]) },
    { token: 0x06, data: Buffer.from([0x01]) },
  ]
  let offset = 5 * options.length + 1
  const entries = options.map(({ token, data }) => {
    const entry = Buffer.from([token, offset >> 8, offset & 0xff, 0, data.length])
    offset += data.length
    return entry
  })
  return Buffer.concat([...entries, Buffer.from([0xff]), ...options.map(({ data }) => data)])
}

/**
 * Finds the feature FEDAUTH of a login (MS-TDS 2.2.6.4). Returns its token, an empty object if the client asks for the server's
 * information first, or undefined without the feature.
 */
function parseLogin(body: Buffer): { readonly token?: string } | undefined {
  // The login has the offset of a number, and that number is the offset of the extension.
  let at = body.readUInt32LE(body.readUInt16LE(56))
  while (body[at] !== undefined && body[at] !== LAST_FEATURE) {
    const length = body.readUInt32LE(at + 1)
    const data = body.subarray(at + 5, at + 5 + length)
    if (body[at] === FEDAUTH) {
      const library = (data[0] ?? 0) >> 1
      if (library === ASKS_FOR_SERVER_INFO) return {}
      return { token: data.subarray(5, 5 + data.readUInt32LE(1)).toString('utf16le') }
    }
    at += 5 + length
  }
  return undefined
}

/** The login host and the resource of the token (FEDAUTHINFO, MS-TDS 2.2.7.12), as Azure SQL names them. */
function createServerInfo(): Buffer {
  const host = utf16('https://login.microsoftonline.com/22222222-2222-4222-8222-222222222222')
  const resource = utf16('https://database.windows.net/')
  const first = 4 + 2 * 9
  const data = Buffer.concat([
    uint32(2),
    Buffer.from([0x01]),
    uint32(host.length),
    uint32(first),
    Buffer.from([0x02]),
    uint32(resource.length),
    uint32(first + host.length),
    host,
    resource,
  ])
  return Buffer.concat([Buffer.from([0xee]), uint32(data.length), data])
}

/** DONE without rows. */
const DONE = Buffer.concat([Buffer.from([0xfd]), Buffer.alloc(12)])

/** LOGINACK, the new database and collation, the acknowledged feature, DONE. */
function createLoginReply(): Buffer {
  const name = 'Microsoft SQL Server'
  const version = [0x74, 0, 0, 4]
  const acknowledged = Buffer.concat([
    Buffer.from([0x01, ...version, name.length]),
    utf16(name),
    Buffer.from([16, 0, 0x10, 0]),
  ])
  const database = Buffer.concat([Buffer.from([1, 4]), utf16('shop'), Buffer.from([0])])
  const collation = Buffer.from([7, 5, 0x09, 0x04, 0xd0, 0x00, 0x34, 0])
  const changes = [database, collation].map((change) =>
    Buffer.concat([Buffer.from([0xe3]), uint16(change.length), change]),
  )
  const feature = Buffer.from([0xae, FEDAUTH, 0, 0, 0, 0, LAST_FEATURE])
  return Buffer.concat([
    ...changes,
    Buffer.from([0xad]),
    uint16(acknowledged.length),
    acknowledged,
    feature,
    DONE,
  ])
}
