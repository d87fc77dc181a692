/** Checks the connectivity to a token endpoint step by step: DNS, TCP, proxy, TLS. */
import { lookup } from 'node:dns/promises'
import { once } from 'node:events'
import { request as httpRequest } from 'node:http'
import { request as httpsRequest } from 'node:https'
import { connect as connectTcp, isIP, type Socket } from 'node:net'
import { connect as connectTls, getCACertificates } from 'node:tls'
import type { Config } from '../../sidecar/config/config.ts'
import { BrokerError } from '../../lib/errors.ts'
import { usesProxy } from '../../sidecar/exchange/dispatcher.ts'
import {
  createProxyDestination,
  ENTRA,
  TOKEN_PROXY,
  toTransportError,
  withPeer,
} from '../../sidecar/exchange/transport-errors.ts'
import { describeProblem } from '../../lib/describe-error.ts'
import { getPeer, removeBrackets } from '../../lib/hosts.ts'
import type { Failure, Finding } from './doctor-report.ts'
import { toFailure } from './failure.ts'
import { failed, passed } from './findings.ts'

/** A token endpoint, and the settings for connecting to it. */
export interface Endpoint {
  readonly host: string
  readonly port: number
  readonly isTokenProxy: boolean
  readonly proxy?: Config['exchange']['proxy']
  /** The name that the certificate must be for; undefined: the host. */
  readonly serverName?: string
  /** PEM certificates, trusted in addition to Node's roots or instead of them. */
  readonly ca?: { readonly pem: string; readonly isExclusive: boolean }
}

interface Peer {
  readonly host: string
  readonly port: number
}

const STEP_TIMEOUT_MS = 5000

interface Step {
  readonly name: 'dns' | 'tcp' | 'proxy' | 'tls'
  /** What was found, or why it failed. */
  readonly detail: string
  readonly durationMs: number
}

interface Connection {
  readonly via: string
  /** Up to the first that fails. */
  readonly steps: readonly Step[]
  readonly failure?: Failure
}

/** Returns whether a connection to the endpoint can be opened, with one line for each step. */
export async function checkEndpoint(endpoint: Endpoint): Promise<Finding> {
  const { via, steps, failure } = await tryConnection(endpoint)
  const lines = steps.map(
    ({ name, detail, durationMs }) => `${name.padEnd(5)}  ${detail} (${durationMs} ms)`,
  )
  const finding =
    failure === undefined
      ? passed('connectivity', via, ...lines)
      : failed('connectivity', failure, via, ...lines)
  return { ...finding, subject: `${endpoint.host}:${endpoint.port}` }
}

/** Runs the steps up to the first that fails. Sends nothing but a CONNECT to a proxy. */
export async function tryConnection(endpoint: Endpoint): Promise<Connection> {
  const { host, port, isTokenProxy } = endpoint
  const proxy = await findProxy(endpoint)
  const steps: Step[] = []
  const sockets: Socket[] = []
  const run = async <T>(name: Step['name'], work: () => Promise<[T, string]>): Promise<T> => {
    const start = performance.now()
    const report = (detail: string) =>
      steps.push({ name, detail, durationMs: Math.round(performance.now() - start) })
    try {
      const [result, detail] = await work()
      report(detail)
      return result
    } catch (error) {
      report(describeProblem(error))
      throw error
    }
  }
  const direct = proxy === undefined ? 'directly' : 'through the HTTP proxy'
  const connection = { via: isTokenProxy ? 'to the token proxy' : direct, steps }
  try {
    const peer = proxy === undefined ? { host, port } : getPeer(proxy)
    await run('dns', () => resolveHost(peer.host))
    let socket = await run('tcp', () => openSocket(peer, sockets))
    if (proxy !== undefined) {
      socket.destroy()
      socket = await run('proxy', () => openTunnel(proxy, endpoint, sockets))
    }
    await run('tls', () => handshake(endpoint, socket, sockets))
    return connection
  } catch (error) {
    const isOfProxy = proxy !== undefined && steps.at(-1)?.name !== 'tls'
    const destination = isOfProxy
      ? createProxyDestination(proxy)
      : withPeer(isTokenProxy ? TOKEN_PROXY : ENTRA, `https://${host}:${port}`)
    const failure = error instanceof BrokerError ? error : toTransportError(error, destination)
    return { ...connection, failure: toFailure(failure) }
  } finally {
    // The TLS socket before the TCP socket below it.
    for (const socket of sockets.toReversed()) socket.destroy()
  }
}

/** Returns the URL of the proxy if this endpoint is reached through it. */
async function findProxy({ host, port, proxy }: Endpoint): Promise<URL | undefined> {
  if (proxy === undefined || !(await usesProxy(`https://${host}:${port}`, proxy))) return undefined
  return new URL(proxy.url.reveal())
}

async function resolveHost(host: string): Promise<[undefined, string]> {
  const found = await lookup(removeBrackets(host), { all: true })
  return [undefined, `${host} is ${found.map(({ address }) => address).join(', ')}`]
}

async function openSocket({ host, port }: Peer, sockets: Socket[]): Promise<[Socket, string]> {
  const socket = connectTcp({ host: removeBrackets(host), port })
  sockets.push(socket)
  await withTimeout(once(socket, 'connect'), socket)
  return [socket, `connected to ${socket.remoteAddress ?? host} port ${port}`]
}

/** Requests a tunnel from the proxy (RFC 9110, section 9.3.6). */
async function openTunnel(
  proxy: URL,
  endpoint: Endpoint,
  sockets: Socket[],
): Promise<[Socket, string]> {
  const target = `${endpoint.host}:${endpoint.port}`
  const { host, port } = getPeer(proxy)
  const credentials = `${decodeURIComponent(proxy.username)}:${decodeURIComponent(proxy.password)}`
  const isAnonymous = proxy.username === '' && proxy.password === ''
  const send = proxy.protocol === 'https:' ? httpsRequest : httpRequest
  const request = send({
    host: removeBrackets(host),
    port,
    method: 'CONNECT',
    path: target,
    headers: {
      Host: target,
      ...(!isAnonymous && {
        'Proxy-Authorization': `Basic ${Buffer.from(credentials).toString('base64')}`,
      }),
    },
    ...(proxy.protocol === 'https:' && { ca: getRoots(endpoint), rejectUnauthorized: true }),
  })
  request.end()
  const [status, socket]: [number, Socket] = await withTimeout(
    new Promise((resolve, reject) => {
      request.once('connect', (response, connected) =>
        resolve([response.statusCode ?? 0, connected]),
      )
      request.once('response', () => reject(createProxyError('does not support CONNECT')))
      request.once('error', reject)
    }),
    request,
  )
  sockets.push(socket)
  if (status === 407) throw createProxyError('requires a user and a password (407)')
  if (status !== 200) throw createProxyError(`rejects the tunnel (${status})`)
  return [socket, `${host}:${port} opened a tunnel to ${target}`]
}

function createProxyError(reason: string): BrokerError {
  return new BrokerError(
    'entra_unreachable',
    `the proxy ${reason}`,
    'check HTTPS_PROXY, its user and password, and whether the proxy allows the login host',
  )
}

async function handshake(
  endpoint: Endpoint,
  socket: Socket,
  sockets: Socket[],
): Promise<[undefined, string]> {
  const name = endpoint.serverName ?? endpoint.host
  const tls = connectTls({
    socket,
    host: name,
    ca: getRoots(endpoint),
    rejectUnauthorized: true,
    // The certificate is verified against an IP address too, but SNI allows names only.
    ...(isIP(name) === 0 && { servername: name }),
  })
  sockets.push(tls)
  await withTimeout(once(tls, 'secureConnect'), tls)
  const { issuer, valid_to: validTo } = tls.getPeerCertificate()
  const by = [issuer.O ?? issuer.CN].flat().join(', ')
  return [undefined, `${tls.getProtocol() ?? 'TLS'}, certificate by ${by} until ${validTo}`]
}

function getRoots({ ca }: Endpoint): string[] {
  if (ca?.isExclusive === true) return [ca.pem]
  return [...getCACertificates('default'), ...(ca === undefined ? [] : [ca.pem])]
}

async function withTimeout<T>(work: Promise<T>, resource: { destroy: () => unknown }): Promise<T> {
  const limit = Promise.withResolvers<never>()
  const timer = setTimeout(() => {
    const reason = `no answer within ${STEP_TIMEOUT_MS / 1000} s`
    limit.reject(Object.assign(new Error(reason), { code: 'ETIMEDOUT' }))
    resource.destroy()
  }, STEP_TIMEOUT_MS)
  try {
    return await Promise.race([work, limit.promise])
  } finally {
    clearTimeout(timer)
  }
}
