/** Serves a handler on a TCP port, with or without TLS. */
import { once } from 'node:events'
import {
  createServer as createHttpServer,
  type IncomingMessage,
  type ServerResponse,
} from 'node:http'
import { createServer as createHttpsServer } from 'node:https'
import { Socket } from 'node:net'
import { readBody } from '../../../lib/read-body.ts'
import type { IssuedCertificate } from '../../../lib/x509.ts'
import { formatLocalAddress } from '../../local-host.ts'
import type { Handler } from './handler.ts'

export interface Listen {
  /** Default 127.0.0.1. */
  readonly host?: string
  /** Default 0: any free port. */
  readonly port?: number
}

export interface ServeOptions extends Listen {
  /** Serves HTTPS with this certificate. */
  readonly tls?: IssuedCertificate
}

const MAX_BODY_BYTES = 1_048_576

/**
 * Starts listening. Rejects with the system's error when the address cannot be bound. The connection of a request for which
 * the handler rejects ends with an RST: the client gets ECONNRESET. Disposing ends all connections, including hanging ones.
 */
export async function serve(
  handler: Handler,
  { host = '127.0.0.1', port = 0, tls }: ServeOptions = {},
) {
  const scheme = tls ? 'https' : 'http'
  // A request over TLS has a TLSSocket, which cannot send an RST. Only the TCP socket below it can.
  const sockets = new Map<number | undefined, Socket>()
  const onRequest = (incoming: IncomingMessage, outgoing: ServerResponse): void => {
    // Read before the handler runs: an aborted request no longer has a port.
    const { remotePort } = incoming.socket
    void answer(handler, scheme, incoming, outgoing).catch(() =>
      sockets.get(remotePort)?.resetAndDestroy(),
    )
  }
  const listener = tls
    ? createHttpsServer({ cert: tls.certPem, key: tls.keyPem }, onRequest)
    : createHttpServer(onRequest)
  listener.on('connection', (socket) => {
    if (!(socket instanceof Socket)) return
    const { remotePort } = socket
    sockets.set(remotePort, socket)
    socket.once('close', () => sockets.delete(remotePort))
  })
  listener.listen(port, host)
  await once(listener, 'listening')

  const address = listener.address()
  if (address === null || typeof address === 'string') throw new TypeError('not a TCP server')
  return {
    /** Origin on this machine. */
    url: `${scheme}://${formatLocalAddress({ host, port: address.port })}`,
    port: address.port,
    [Symbol.asyncDispose]: async () => {
      for (const socket of sockets.values()) socket.destroy()
      await listener[Symbol.asyncDispose]()
    },
  }
}

async function answer(
  handler: Handler,
  scheme: string,
  incoming: IncomingMessage,
  outgoing: ServerResponse,
): Promise<void> {
  const reply = await handler(await toRequest(scheme, incoming))
  // A flat list of names and values, so that Set-Cookie can occur twice.
  outgoing.writeHead(reply.status, [...reply.headers].flat())
  for await (const chunk of reply.body ?? []) {
    if (outgoing.destroyed) return
    // Until the kernel has the chunk, an RST would discard it.
    await new Promise((resolve) => outgoing.write(chunk, resolve))
  }
  outgoing.end()
}

const createBodyError = () => new RangeError('request body too large')

async function toRequest(scheme: string, incoming: IncomingMessage): Promise<Request> {
  const { method = 'GET', url = '/', headersDistinct } = incoming
  const hasBody = method !== 'GET' && method !== 'HEAD'
  return new Request(new URL(url, `${scheme}://${incoming.headers.host ?? 'localhost'}`), {
    method,
    headers: Object.entries(headersDistinct).flatMap(([name, values = []]) =>
      values.map((value): [string, string] => [name, value]),
    ),
    ...(hasBody && { body: await readBody(incoming, MAX_BODY_BYTES, createBodyError) }),
  })
}
