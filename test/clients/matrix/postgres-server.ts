/** A PostgreSQL server whose password is a token of Entra ID: it asks for it in clear text, and lets anyone in. */
import { createServer } from 'node:net'
import { listening } from '../../fixtures/listening.ts'

export interface PostgresServerOptions {
  readonly host: string
  readonly onToken: (token: string) => void
}

/** A message of the protocol: its type, its length and its body. */
function createMessage(type: string, body: Buffer): Buffer {
  const header = Buffer.from(`${type}\0\0\0\0`)
  header.writeUInt32BE(4 + body.length, 1)
  return Buffer.concat([header, body])
}

const ASK_PASSWORD = createMessage('R', Buffer.from([0, 0, 0, 3]))
const WELCOME = Buffer.concat([
  createMessage('R', Buffer.from([0, 0, 0, 0])),
  createMessage('S', Buffer.from('server_version\x0017.0\0')),
  createMessage('S', Buffer.from('client_encoding\0UTF8\0')),
  createMessage('S', Buffer.from('standard_conforming_strings\0on\0')),
  createMessage('Z', Buffer.from('I')),
])

/** Starts the server on port 5432. A client has to connect without TLS, and to load no types. */
export async function startPostgresServer({
  host,
  onToken,
}: PostgresServerOptions): Promise<AsyncDisposable> {
  const server = createServer((socket) => {
    socket.on('error', () => {})
    let received = Buffer.alloc(0)
    let isStarted = false
    socket.on('data', (chunk) => {
      received = Buffer.concat([received, chunk])
      if (!isStarted) {
        if (received.length < 4 || received.length < received.readUInt32BE(0)) return
        received = received.subarray(received.readUInt32BE(0))
        isStarted = true
        socket.write(ASK_PASSWORD)
      }
      if (received.length < 5 || received.length < 1 + received.readUInt32BE(1)) return
      if (received[0] === 'p'.charCodeAt(0)) {
        onToken(received.subarray(5, received.readUInt32BE(1)).toString())
        socket.write(WELCOME)
      } else {
        socket.end()
      }
      received = Buffer.alloc(0)
    })
  })
  return await listening(server, 5432, host)
}
