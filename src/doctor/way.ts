/** The way to a token endpoint, tried step by step: name, connection, proxy, TLS. */
import { lookup } from 'node:dns/promises'
import { once } from 'node:events'
import { request as httpRequest } from 'node:http'
import { request as httpsRequest } from 'node:https'
import { connect as connectTcp, isIP, type Socket } from 'node:net'
import { connect as connectTls, getCACertificates } from 'node:tls'
import { usesProxy } from '../exchange/dispatcher.ts'
import { scrub, type Secret } from '../secret.ts'
import type { StepReport, WayReport } from './report.ts'

/** Where to, and what is between. */
export interface Way {
  readonly host: string
  readonly port: number
  readonly via: WayReport['via']
  readonly proxy?: { readonly url: Secret; readonly noProxy: string }
  /** The name that the certificate is held against; undefined: the host. */
  readonly serverName?: string
  /** PEM: trusted beside Node's roots, or in their stead. */
  readonly ca?: { readonly pem: string; readonly isExclusive: boolean }
}

const STEP_TIMEOUT_MS = 5000

/** Tries each step, and stops at the first that fails. Sends nothing but what a proxy is asked. */
export async function tryWay(way: Way): Promise<WayReport> {
  const { host, port } = way
  const proxy =
    way.proxy && (await usesProxy(`https://${host}:${port}`, way.proxy))
      ? new URL(way.proxy.url.reveal())
      : undefined
  const steps: StepReport[] = []
  const open: Socket[] = []
  const attempt = async <T>(step: StepReport['step'], run: () => Promise<[T, string]>) => {
    const start = performance.now()
    const tell = (ok: boolean, detail: string) =>
      steps.push({ step, ok, detail, durationMs: Math.round(performance.now() - start) })
    try {
      const [value, detail] = await run()
      tell(true, detail)
      return value
    } catch (error) {
      tell(false, reasonOf(error))
      throw new StepFailed()
    }
  }
  try {
    const first = proxy === undefined ? { host, port } : endpointOf(proxy)
    await attempt('dns', () => resolve(first.host))
    let socket = await attempt('tcp', () => openSocket(first, open))
    if (proxy !== undefined) {
      socket.destroy()
      socket = await attempt('proxy', () => tunnel(proxy, way, open))
    }
    await attempt('tls', () => handshake(way, socket, open))
  } catch (error) {
    if (!(error instanceof StepFailed)) throw error
  } finally {
    // The TLS socket before the TCP socket that it is on.
    for (const socket of open.toReversed()) socket.destroy()
  }
  return { endpoint: `${host}:${port}`, via: proxy === undefined ? via(way) : 'proxy', steps }
}

class StepFailed extends Error {}

function via({ via: configured }: Way): WayReport['via'] {
  return configured === 'proxy' ? 'direct' : configured
}

async function resolve(host: string): Promise<[undefined, string]> {
  const found = await lookup(host.replace(/^\[|\]$/g, ''), { all: true })
  return [undefined, `${host} is ${found.map(({ address }) => address).join(', ')}`]
}

async function openSocket(
  { host, port }: { host: string; port: number },
  open: Socket[],
): Promise<[Socket, string]> {
  const socket = connectTcp({ host: host.replace(/^\[|\]$/g, ''), port })
  open.push(socket)
  await inTime(once(socket, 'connect'), socket)
  return [socket, `connected to ${socket.remoteAddress ?? host} port ${port}`]
}

/** Asks the proxy for a tunnel (RFC 9110 §9.3.6). */
async function tunnel(proxy: URL, way: Way, open: Socket[]): Promise<[Socket, string]> {
  const target = `${way.host}:${way.port}`
  const { host, port } = endpointOf(proxy)
  const credentials = `${decodeURIComponent(proxy.username)}:${decodeURIComponent(proxy.password)}`
  const isAnonymous = proxy.username === '' && proxy.password === ''
  const send = proxy.protocol === 'https:' ? httpsRequest : httpRequest
  const request = send({
    host: host.replace(/^\[|\]$/g, ''),
    port,
    method: 'CONNECT',
    path: target,
    headers: {
      Host: target,
      ...(!isAnonymous && {
        'Proxy-Authorization': `Basic ${Buffer.from(credentials).toString('base64')}`,
      }),
    },
    ...(proxy.protocol === 'https:' && { ca: rootsOf(way) }),
  })
  request.end()
  const [{ statusCode }, socket]: [{ statusCode: number }, Socket] = await inTime(
    new Promise((done, failed) => {
      request.once('connect', (response, connected) =>
        done([{ statusCode: response.statusCode ?? 0 }, connected]),
      )
      request.once('response', () => failed(new Error('the proxy takes no CONNECT')))
      request.once('error', failed)
    }),
    request,
  )
  open.push(socket)
  if (statusCode === 407) throw new Error('the proxy wants a user and a password (407)')
  if (statusCode !== 200) throw new Error(`the proxy refuses the tunnel (${statusCode})`)
  return [socket, `${host}:${port} opened a tunnel to ${target}`]
}

async function handshake(way: Way, socket: Socket, open: Socket[]): Promise<[undefined, string]> {
  const name = way.serverName ?? way.host
  const tls = connectTls({
    socket,
    host: name,
    ca: rootsOf(way),
    // An address is no name that may be sent, but is what the certificate is held against.
    ...(isIP(name) === 0 && { servername: name }),
  })
  open.push(tls)
  await inTime(once(tls, 'secureConnect'), tls)
  const { issuer, valid_to: validTo } = tls.getPeerCertificate()
  const by = [issuer.O ?? issuer.CN].flat().join(', ')
  return [undefined, `${tls.getProtocol() ?? 'TLS'}, certificate by ${by} until ${validTo}`]
}

function rootsOf({ ca }: Way): string[] {
  if (ca?.isExclusive === true) return [ca.pem]
  return [...getCACertificates('default'), ...(ca === undefined ? [] : [ca.pem])]
}

function endpointOf(url: URL): { host: string; port: number } {
  const { hostname: host, port, protocol } = url
  return { host, port: port === '' ? (protocol === 'https:' ? 443 : 80) : Number(port) }
}

async function inTime<T>(work: Promise<T>, resource: { destroy: () => unknown }): Promise<T> {
  const limit = Promise.withResolvers<never>()
  const timer = setTimeout(() => {
    limit.reject(new Error(`no answer within ${STEP_TIMEOUT_MS / 1000} s`))
    resource.destroy()
  }, STEP_TIMEOUT_MS)
  try {
    return await Promise.race([work, limit.promise])
  } finally {
    clearTimeout(timer)
  }
}

/** Several addresses that all failed make an error without a message of its own. */
function reasonOf(error: unknown): string {
  if (error instanceof AggregateError && error.message === '') {
    return error.errors.map(reasonOf).join('; ')
  }
  return error instanceof Error ? scrub(error.message) : 'unknown reason'
}
