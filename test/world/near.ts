/**
 * The near end of the world: `near.ts JSON`, with a `NearOptions`. It resolves the names of the hosts, starts a sidecar, requests
 * the tokens of all hosts at the same time, and prints the replies as one line of JSON.
 */
import { spawn } from 'node:child_process'
import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { createInterface } from 'node:readline'

export interface Host {
  /** The first label of the host, NAME of `NAME.world.test`. */
  readonly name: string
  readonly clientId: string
  readonly ipv4: readonly number[][]
  readonly ipv6: readonly number[][]
  /** True if queries for IPv6 addresses get no answer. */
  readonly hasSilentIpv6Query?: boolean
}

export interface NearOptions {
  readonly cli: string
  /** The environment of the sidecar. */
  readonly env: Readonly<Record<string, string>>
  readonly hosts: readonly Host[]
}

export interface Reply {
  readonly name: string
  readonly status: number
  readonly text: string
}

const { cli, env, hosts }: NearOptions = JSON.parse(process.argv[2] ?? '')

const TYPES: Readonly<Record<number, 'ipv4' | 'ipv6'>> = { 1: 'ipv4', 28: 'ipv6' }

/** Answers a query for an address (RFC 1035); undefined for silence. */
function resolve(query: Buffer): Buffer | undefined {
  let end = 12
  const labels: string[] = []
  for (let length = query[end] ?? 0; length > 0; length = query[end] ?? 0) {
    labels.push(query.toString('latin1', end + 1, end + 1 + length))
    end += 1 + length
  }
  const type = query.readUInt16BE(end + 1)
  const host = hosts.find(({ name }) => `${name}.world.test` === labels.join('.').toLowerCase())
  const family = TYPES[type]
  if (host?.hasSilentIpv6Query === true && family === 'ipv6') return undefined
  const addresses = host === undefined || family === undefined ? [] : host[family]
  const head = Buffer.from(query.subarray(0, 12))
  head.writeUInt16BE(host === undefined ? 0x8583 : 0x8580, 2)
  head.writeUInt16BE(addresses.length, 6)
  head.writeUInt32BE(0, 8)
  const records = addresses.map((address) => {
    const record = Buffer.from([0xc0, 12, 0, type, 0, 1, 0, 0, 0, 0, 0, address.length])
    return Buffer.concat([record, Buffer.from(address)])
  })
  return Buffer.concat([head, query.subarray(12, end + 5), ...records])
}

const dns = createSocket('udp4')
dns.on('message', (query, { port, address }) => {
  const reply = resolve(query)
  if (reply !== undefined) dns.send(reply, port, address)
})
dns.bind(53, '127.0.0.1')
await once(dns, 'listening')

const origin = '127.0.0.1:8000'
const sidecar = spawn(process.execPath, [cli, 'serve'], {
  env: { ...env, WIMDS_LISTEN: origin, WIMDS_ADMIN_LISTEN: 'off' },
  stdio: ['ignore', 'pipe', 'ignore'],
})
for await (const line of createInterface({ input: sidecar.stdout })) {
  if (line.includes('"listening"')) break
}
sidecar.stdout.resume()

async function request({ name, clientId }: Host): Promise<Reply> {
  const query = `api-version=2018-02-01&resource=https://vault.azure.net&client_id=${clientId}`
  const response = await fetch(`http://${origin}/metadata/identity/oauth2/token?${query}`, {
    headers: { Metadata: 'true' },
  })
  const body = await response.text()
  return { name, status: response.status, text: response.ok ? '' : body }
}

const replies = await Promise.all(hosts.map(request))
sidecar.kill('SIGKILL')
process.stdout.write(JSON.stringify(replies), () => process.exit())
