/**
 * Connects undici's agents: over TCP by `connect.ts` or through a proxy, then over TLS by undici. One time limit covers all
 * steps.
 */
import type { Socket } from 'node:net'
import { Duplex } from 'node:stream'
import type { Connect } from './connect.ts'
import { untilAborted, withDeadline } from './deadline.ts'
import { Agent, buildConnector } from './undici.ts'

/**
 * Single requests, hours apart, do not profit from HTTP/2, and Node loads more code for it. While a server may choose HTTP/2,
 * all requests of a pool wait for its first connection. API servers end HTTP/2 connections while requests are in flight
 * (GOAWAY: when they shut down, and by chance with --goaway-chance), and undici then fails those requests.
 */
const HTTP1_ONLY = { allowH2: false } as const

/** Makes the TLS handshake over a socket. If the handshake fails, the caller must destroy the socket. */
export type Handshake = (
  httpSocket: Socket,
  to: buildConnector.Options,
  signal: AbortSignal,
) => Promise<Socket>

/** Creates a function that makes TLS handshakes. All its handshakes share TLS sessions. */
export function createHandshake(tls: buildConnector.BuildOptions = {}): Handshake {
  const connector = buildConnector({
    ...tls,
    ...HTTP1_ONLY,
    // Otherwise NODE_TLS_REJECT_UNAUTHORIZED=0 in the environment sends the assertion to any server.
    rejectUnauthorized: true,
    // Disables undici's time limit: the signal is the time limit.
    timeout: 0,
  })
  return async (httpSocket, to, signal) => {
    const secured = new Promise<Socket>((resolve, reject) => {
      connector({ ...to, httpSocket }, (error, socket) =>
        error === null ? resolve(socket) : reject(error),
      )
    })
    return untilAborted(secured, signal)
  }
}

export interface AgentOptions {
  readonly connect: Connect
  readonly handshake: Handshake
  /** Time limit in milliseconds, from the look-up of the name to the end of the TLS handshake. */
  readonly connectTimeoutMs: number
}

/** Creates an agent of undici that pools connections to `https:` origins, and closes them when they are idle. */
export function createAgent({ connect, handshake, connectTimeoutMs }: AgentOptions): Agent {
  async function openSecurely(to: buildConnector.Options, signal: AbortSignal): Promise<Socket> {
    const plain = await connect({ host: to.hostname, port: Number(to.port || 443) }, signal)
    try {
      return await handshake(plain, to, signal)
    } catch (error) {
      plain.destroy()
      throw error
    }
  }

  async function open(
    to: buildConnector.Options,
    callback: buildConnector.Callback,
    abandoned: AbortSignal,
  ): Promise<void> {
    try {
      const socket = await withDeadline(connectTimeoutMs, (limit) =>
        openSecurely(to, AbortSignal.any([limit, abandoned])),
      )
      callback(null, socket)
    } catch (error) {
      callback(error instanceof Error ? error : new Error(String(error)), null)
    }
  }

  const connector = (to: buildConnector.Options, callback: buildConnector.Callback) => {
    const abandon = new AbortController()
    void open(to, callback, abandon.signal)
    // undici destroys this stream when the last request that waits for the connection is aborted.
    return new Duplex({
      destroy: (_, done) => {
        abandon.abort()
        done(null)
      },
    })
  }
  return new Agent({ ...HTTP1_ONLY, connect: connector })
}
