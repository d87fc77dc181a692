/** Serves a simulated server on a TCP port, with or without TLS, and carries out socket faults. */
import { once } from 'node:events'
import {
  createServer as createHttpServer,
  type IncomingMessage,
  type ServerResponse,
} from 'node:http'
import { createServer as createHttpsServer } from 'node:https'
import type { Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import { formatUrlHost } from '../../../lib/hosts.ts'
import { toLocalHost } from '../../local-host.ts'
import { isSocketFault, type Server } from './handler.ts'

interface ServeOptions {
  /** Default 127.0.0.1. */
  readonly host?: string
  /** Default 0: any free port. */
  readonly port?: number
  /** Serves HTTPS with this certificate. */
  readonly tls?: { readonly certPem: string; readonly keyPem: string }
}

/** A server on a port. `close` ends all connections, including hanging ones. */
export interface RunningServer extends AsyncDisposable {
  /** Origin on this machine. */
  readonly url: string
  readonly port: number
  close(): Promise<void>
}

const MAX_BODY_BYTES = 1_048_576

/** Starts listening. Rejects with the system's error when the address cannot be bound. */
export async function serve(
  server: Server,
  { host = '127.0.0.1', port = 0, tls }: ServeOptions = {},
): Promise<RunningServer> {
  const scheme = tls ? 'https' : 'http'
  const rawSockets = new Map<number, Socket>()
  const onRequest = (incoming: IncomingMessage, outgoing: ServerResponse): void => {
    // Read before the handler runs: an aborted request no longer has a socket.
    const { socket } = incoming
    void answer(server, scheme, incoming, outgoing).catch(() => reset(socket, rawSockets))
  }
  const listener = tls
    ? createHttpsServer({ cert: tls.certPem, key: tls.keyPem }, onRequest)
    : createHttpServer(onRequest)
  // A request over TLS has a TLSSocket, which cannot send an RST. Only the TCP socket below it can.
  listener.on('connection', (socket: Duplex) => {
    if (!isTcpSocket(socket)) return
    const { remotePort } = socket
    if (remotePort === undefined) return
    rawSockets.set(remotePort, socket)
    socket.once('close', () => rawSockets.delete(remotePort))
  })
  listener.listen(port, host)
  await once(listener, 'listening')

  const address = listener.address()
  if (address === null || typeof address === 'string') throw new TypeError('not a TCP server')
  async function close(): Promise<void> {
    if (!listener.listening) return
    const closed = once(listener, 'close')
    listener.close()
    listener.closeAllConnections()
    for (const socket of rawSockets.values()) socket.destroy()
    await closed
  }
  return {
    url: `${scheme}://${formatUrlHost(toLocalHost(host))}:${address.port}`,
    port: address.port,
    close,
    [Symbol.asyncDispose]: close,
  }
}

async function answer(
  server: Server,
  scheme: string,
  incoming: IncomingMessage,
  outgoing: ServerResponse,
): Promise<void> {
  const request = await toRequest(scheme, incoming)
  const reply = await server(request)
  if (isSocketFault(reply)) {
    if (reply.socket === 'reset') throw new Error('simulated reset')
    return
  }
  // A flat list of names and values, so that Set-Cookie can occur twice.
  outgoing.writeHead(reply.status, [...reply.headers].flat())
  for await (const chunk of reply.body ?? []) {
    if (outgoing.destroyed) return
    await flush(outgoing, chunk)
  }
  outgoing.end()
}

/** Resolves when the kernel has the chunk or the connection is closed. A later RST discards nothing. */
function flush(outgoing: ServerResponse, chunk: Uint8Array): Promise<void> {
  return new Promise((resolve) => {
    const settle = (): void => {
      outgoing.off('close', settle)
      resolve()
    }
    outgoing.on('close', settle)
    outgoing.write(chunk, settle)
  })
}

async function toRequest(scheme: string, incoming: IncomingMessage): Promise<Request> {
  const { method = 'GET', url = '/', headersDistinct } = incoming
  const headers = new Headers()
  for (const [name, values] of Object.entries(headersDistinct)) {
    for (const value of values ?? []) headers.append(name, value)
  }
  const hasBody = method !== 'GET' && method !== 'HEAD'
  return new Request(new URL(url, `${scheme}://${incoming.headers.host ?? 'localhost'}`), {
    method,
    headers,
    ...(hasBody ? { body: await readRequestBody(incoming) } : {}),
  })
}

async function readRequestBody(incoming: IncomingMessage): Promise<Uint8Array<ArrayBuffer>> {
  const chunks: Uint8Array[] = []
  let size = 0
  for await (const chunk of incoming as AsyncIterable<Uint8Array>) {
    chunks.push(chunk)
    size += chunk.length
    if (size > MAX_BODY_BYTES) throw new RangeError('request body too large')
  }
  return new Uint8Array(Buffer.concat(chunks))
}

/** Ends a connection with an RST: the client gets ECONNRESET. */
function reset(socket: Socket, rawSockets: ReadonlyMap<number, Socket>): void {
  const raw = rawSockets.get(socket.remotePort ?? -1)
  if (raw === undefined) socket.destroy()
  else raw.resetAndDestroy()
}

const isTcpSocket = (stream: Duplex): stream is Socket => 'resetAndDestroy' in stream
