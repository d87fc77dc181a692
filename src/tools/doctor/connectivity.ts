/** Checks the connectivity to a token endpoint step by step: DNS, TCP, proxy, TLS. */
import { lookup } from 'node:dns/promises'
import { once } from 'node:events'
import { type IncomingMessage, request as httpRequest } from 'node:http'
import { request as httpsRequest } from 'node:https'
import { connect as connectTcp, isIP, type Socket } from 'node:net'
import { connect as connectTls, getCACertificates, type TLSSocket } from 'node:tls'
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
import type { Finding } from './doctor-report.ts'
import { createFinding, failed, passed } from './findings.ts'

/** A token endpoint, and the settings for connecting to it. */
export interface Endpoint {
  readonly host: string
  readonly port: number
  readonly isTokenProxy: boolean
  readonly proxy?: Config['exchange']['proxy'] | undefined
  /** The name that the certificate must be for; undefined: the host. */
  readonly serverName?: string | undefined
  /** PEM certificates, trusted in addition to Node's roots or instead of them. */
  readonly ca?: { readonly pem: string; readonly isExclusive: boolean } | undefined
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
  readonly error?: BrokerError
}

/** Returns whether a connection to the endpoint can be opened, with one line for each step. */
export async function checkEndpoint(endpoint: Endpoint): Promise<Finding> {
  const { via, steps, error } = await tryConnection(endpoint)
  const lines = steps.map(
    ({ name, detail, durationMs }) => `${name.padEnd(5)}  ${detail} (${durationMs} ms)`,
  )
  const outcome = error === undefined ? passed(via, ...lines) : failed(error, via, ...lines)
  return createFinding('connectivity', outcome, `${endpoint.host}:${endpoint.port}`)
}

/** Runs the steps up to the first that fails. Sends nothing but a CONNECT to a proxy. */
export async function tryConnection(endpoint: Endpoint): Promise<Connection> {
  const { host, port, isTokenProxy } = endpoint
  const proxy = await findProxy(endpoint)
  const steps: Step[] = []
  const direct = proxy === undefined ? 'directly' : 'through the HTTP proxy'
  const connection = { via: isTokenProxy ? 'to the token proxy' : direct, steps }
  try {
    await runSteps(endpoint, proxy, steps)
    return connection
  } catch (error) {
    const isOfProxy = proxy !== undefined && steps.at(-1)?.name !== 'tls'
    const destination = isOfProxy
      ? createProxyDestination(proxy)
      : withPeer(isTokenProxy ? TOKEN_PROXY : ENTRA, `https://${host}:${port}`)
    const failure = error instanceof BrokerError ? error : toTransportError(error, destination)
    return { ...connection, error: failure }
  }
}

/** Adds each step to `steps`, and closes every socket at the end. Throws the error of the step that fails. */
async function runSteps(endpoint: Endpoint, proxy: URL | undefined, steps: Step[]): Promise<void> {
  const sockets: Socket[] = []
  const keep = <T extends Socket>(socket: T) => {
    sockets.push(socket)
    return socket
  }
  try {
    await connectInSteps(endpoint, proxy, steps, keep)
  } finally {
    // The TLS socket is closed before the TCP socket below it.
    for (const socket of sockets.toReversed()) socket.destroy()
  }
}

async function connectInSteps(
  endpoint: Endpoint,
  proxy: URL | undefined,
  steps: Step[],
  keep: <T extends Socket>(socket: T) => T,
): Promise<void> {
  const { host, port } = proxy === undefined ? endpoint : getPeer(proxy)
  await runStep(steps, 'dns', () => resolveHost(host))
  let socket = keep(connectTcp({ host: removeBrackets(host), port }))
  await runStep(steps, 'tcp', async (signal) => {
    await once(socket, 'connect', { signal })
    return `connected to ${socket.remoteAddress ?? host} port ${port}`
  })
  if (proxy !== undefined) {
    socket.destroy()
    await runStep(steps, 'proxy', async (signal) => {
      const target = `${endpoint.host}:${endpoint.port}`
      socket = keep(await openTunnel(proxy, target, endpoint, signal))
      return `${host}:${port} opened a tunnel to ${target}`
    })
  }
  await runStep(steps, 'tls', async (signal) => {
    const tls = keep(startTls(endpoint, socket))
    await once(tls, 'secureConnect', { signal })
    const { issuer, valid_to: validTo } = tls.getPeerCertificate()
    const by = [issuer.O ?? issuer.CN].flat().join(', ')
    return `${tls.getProtocol() ?? 'TLS'}, certificate by ${by} until ${validTo}`
  })
}

/** Adds the step with what `work` returns, or with the problem that it throws; it has five seconds. */
async function runStep(
  steps: Step[],
  name: Step['name'],
  work: (signal: AbortSignal) => Promise<string>,
): Promise<void> {
  const start = performance.now()
  const add = (detail: string) =>
    steps.push({ name, detail, durationMs: Math.round(performance.now() - start) })
  const signal = AbortSignal.timeout(STEP_TIMEOUT_MS)
  try {
    add(await work(signal))
  } catch (thrown) {
    // Of the signal: a slow DNS server fails by an error of its own.
    const isTimeout = thrown instanceof Error && thrown.name === 'AbortError'
    const error = isTimeout ? createTimeoutError() : thrown
    add(describeProblem(error))
    throw error
  }
}

function createTimeoutError(): Error {
  const reason = `no answer within ${STEP_TIMEOUT_MS / 1000} s`
  return Object.assign(new Error(reason), { code: 'ETIMEDOUT' })
}

/** Returns the URL of the proxy if this endpoint is reached through it. */
async function findProxy({ host, port, proxy }: Endpoint): Promise<URL | undefined> {
  if (proxy === undefined || !(await usesProxy(`https://${host}:${port}`, proxy))) return undefined
  return new URL(proxy.url.reveal())
}

async function resolveHost(host: string): Promise<string> {
  const found = await lookup(removeBrackets(host), { all: true })
  return `${host} is ${found.map(({ address }) => address).join(', ')}`
}

/** Requests a tunnel from the proxy (RFC 9110, section 9.3.6). */
async function openTunnel(
  proxy: URL,
  target: string,
  endpoint: Endpoint,
  signal: AbortSignal,
): Promise<Socket> {
  const { host, port } = getPeer(proxy)
  const isTls = proxy.protocol === 'https:'
  const isAnonymous = proxy.username === '' && proxy.password === ''
  const credentials = `${decodeURIComponent(proxy.username)}:${decodeURIComponent(proxy.password)}`
  const request = (isTls ? httpsRequest : httpRequest)({
    host: removeBrackets(host),
    port,
    method: 'CONNECT',
    path: target,
    signal,
    headers: {
      Host: target,
      ...(!isAnonymous && {
        'Proxy-Authorization': `Basic ${Buffer.from(credentials).toString('base64')}`,
      }),
    },
    ...(isTls && { ca: getRoots(endpoint), rejectUnauthorized: true }),
  })
  request.end()
  const { statusCode, socket } = await new Promise<IncomingMessage>((resolve, reject) => {
    request.once('connect', resolve).once('error', reject)
  })
  if (statusCode === 200) return socket
  socket.destroy()
  throw createProxyError(
    statusCode === 407
      ? 'requires a user and a password (407)'
      : `rejects the tunnel (${statusCode})`,
  )
}

function createProxyError(reason: string): BrokerError {
  return new BrokerError(
    'entra_unreachable',
    `the proxy ${reason}`,
    'check HTTPS_PROXY, its user and password, and whether the proxy allows the login host',
  )
}

function startTls(endpoint: Endpoint, socket: Socket): TLSSocket {
  const name = endpoint.serverName ?? endpoint.host
  return connectTls({
    socket,
    host: name,
    ca: getRoots(endpoint),
    rejectUnauthorized: true,
    // The certificate is verified against an IP address too, but SNI allows names only.
    ...(isIP(name) === 0 && { servername: name }),
  })
}

function getRoots({ ca }: Endpoint): string[] {
  if (ca?.isExclusive === true) return [ca.pem]
  return [...getCACertificates('default'), ...(ca === undefined ? [] : [ca.pem])]
}
