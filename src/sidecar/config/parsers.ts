/** Schemas of single setting values: parse text into a typed value, or explain the problem in a sentence. */
import { isIP } from 'node:net'
import * as z from 'zod/mini'
import { isGuid, parseWholeNumber } from '../../lib/grammars.ts'
import { isCertificates } from '../../lib/pem.ts'
import { findPrefixProblem } from '../metadata/pass-through.ts'
import { isResource } from '../../lib/resource.ts'
import { scrub, scrubSetting, Secret } from '../../lib/secret.ts'

/** An address to listen on. */
export interface Address {
  readonly host: string
  readonly port: number
}

const DOMAIN =
  /^(?=.{4,253}$)[a-z0-9](?:[a-z0-9-]*[a-z0-9])?(?:\.[a-z0-9](?:[a-z0-9-]*[a-z0-9])?)+$/i
const RESERVED_TENANTS = new Set(['common', 'organizations', 'consumers'])
const DURATION = /^(\d+(?:\.\d+)?)(ms|s|m|h)$/
const HOUR_MS = 3_600_000
/** Largest first. */
const UNIT_MS: ReadonlyMap<string, number> = new Map([
  ['h', HOUR_MS],
  ['m', 60_000],
  ['s', 1000],
  ['ms', 1],
])

/** Creates a schema that runs `parse` and turns its error into the setting's problem. */
export function createSchema<T>(parse: (text: string) => T) {
  return z.pipe(
    z.string(),
    z.transform((text, context): T => {
      try {
        return parse(text)
      } catch (error) {
        context.issues.push({
          code: 'custom',
          message: error instanceof Error ? error.message : 'is not valid',
          input: text,
        })
        return z.NEVER
      }
    }),
  )
}

/** A GUID, lower-cased so that ids compare by value. */
export const guid = createSchema((text) => {
  if (!isGuid(text)) throw new Error(`must be a GUID, not ${quote(text)}`)
  return text.toLowerCase()
})

/** A tenant: its GUID or one of its verified domains. `common` and its like name no tenant. */
export const tenant = createSchema((text) => {
  if (RESERVED_TENANTS.has(text.toLowerCase())) {
    throw new Error(`must name one tenant, and ${quote(text)} does not`)
  }
  if (!isGuid(text) && !DOMAIN.test(text)) {
    throw new Error(`must be a tenant's GUID or verified domain, not ${quote(text)}`)
  }
  return text.toLowerCase()
})

/** `https://host[:port]` without a path, as its origin. */
export const authorityHost = createSchema((text) => {
  const url = parseHttpsUrl(text)
  if (url.pathname !== '/' || url.search !== '' || url.hash !== '') {
    throw new Error('must have no path, such as https://login.microsoftonline.com/')
  }
  return url.origin
})

/** `host:port`; an IPv6 address in brackets. */
export const address = createSchema(parseAddress)

/** Comma-separated `host:port` pairs; IPv6 addresses in brackets. */
export const addresses = createSchema((text) => splitList(text).map(parseAddress))

/** The same, or `off` for none. */
export const addressesOrOff = createSchema((text) =>
  text === 'off' ? [] : splitList(text).map(parseAddress),
)

/** An Azure region's name, such as `westeurope`. */
export const region = createSchema((text) => {
  if (!/^[a-z][a-z0-9]{2,39}$/.test(text)) {
    throw new Error(`must be the name of an Azure region, such as westeurope, not ${quote(text)}`)
  }
  return text
})

/** An availability zone's number within its region, such as `1`. */
export const zone = createSchema((text) => {
  if (!/^\d{1,2}$/.test(text)) {
    throw new Error(`must be the number of an availability zone, such as 1, not ${quote(text)}`)
  }
  return text
})

/** The name of a resource group. */
export const resourceGroup = createSchema((text) => {
  if (!/^[\w().-]{1,90}$/.test(text) || text.endsWith('.')) {
    throw new Error(`must be the name of a resource group, not ${quote(text)}`)
  }
  return text
})

/** Path of a projected token. The token itself in place of its path is rejected. */
export const tokenPath = createSchema((text) => {
  if (!text.includes('/') && scrub(text) !== text) {
    throw new Error('must be the path of the projected token, not the token itself')
  }
  return text
})

/**
 * A proxy's URL, whose `http://` is optional. It may hold a password, so it becomes a secret and errors
 * do not repeat it.
 */
export const proxyUrl = createSchema((text) => {
  const url = /^[a-z][a-z0-9+.-]*:\/\//i.test(text) ? text : `http://${text}`
  if (!URL.canParse(url)) throw new Error('must be the URL of a proxy, such as http://proxy:3128')
  const { protocol, username, password, pathname, search, hash } = new URL(url)
  if (protocol !== 'http:' && protocol !== 'https:') {
    throw new Error(`must be an http:// or https:// proxy, not ${quote(protocol)}`)
  }
  if (pathname !== '/' || search !== '' || hash !== '') {
    throw new Error(
      'must have no path, query or fragment; percent-encode each / ? # of the password',
    )
  }
  if (!isDecodable(username) || !isDecodable(password)) {
    throw new Error('must have each % of its user and password encoded as %25')
  }
  return new Secret(url)
})

function isDecodable(text: string): boolean {
  try {
    decodeURIComponent(text)
    return true
  } catch {
    return false
  }
}

/** The URL of the cluster's token proxy (identity bindings): https, a host and a path. */
export const tokenProxyUrl = createSchema((text) => {
  const url = parseHttpsUrl(text)
  if (url.search !== '' || text.includes('?')) throw new Error('must have no query')
  if (url.hash !== '' || text.includes('#')) throw new Error('must have no fragment')
  return url.href
})

/** One or more PEM certificates. */
export const certificates = createSchema((text) => {
  if (!isCertificates(text)) throw new Error('must hold PEM certificates')
  return text
})

/** A credential that callers send as a header, from which HTTP removes blanks at both ends. */
export const headerSecret = createSchema((text) => {
  if (!/^[!-~](?:[ -~]*[!-~])?$/.test(text)) {
    throw new Error(
      'must be ASCII without control characters, and without a blank or a line break at its ends. Fix: create the Secret by printf or --from-literal',
    )
  }
  return new Secret(text)
})

/** The name of a TLS server. */
export const serverName = createSchema((text) => {
  if (!/^(?=.{1,253}$)[a-z0-9-]{1,63}(?:\.[a-z0-9-]{1,63})*$/i.test(text) || isIP(text) !== 0) {
    throw new Error(`must be a host name, such as the one that AKS sets, not ${quote(text)}`)
  }
  return text
})

/** A resource. */
export const resource = createSchema(parseResource)

/** Comma-separated resources. */
export const resources = createSchema((text) => splitList(text).map(parseResource))

/** Comma-separated hosts without ports; IPv6 addresses in brackets. */
export const hosts = createSchema((text) => {
  const names = splitList(text)
  for (const name of names) {
    if (!URL.canParse(`http://${name}`) || new URL(`http://${name}`).host !== name.toLowerCase()) {
      throw new Error(
        `must be hosts without scheme and port, such as metadata.azure.internal, not ${quote(name)}`,
      )
    }
  }
  return names
})

/** Comma-separated path prefixes to forward to the real metadata service. */
export const paths = createSchema((text) => {
  const prefixes = splitList(text)
  for (const prefix of prefixes) {
    const problem = findPrefixProblem(prefix)
    if (problem !== undefined) throw new Error(`${quote(prefix)} ${problem}`)
  }
  return prefixes
})

/** Creates the schema of a duration with its unit (`500ms`, `10s`, `5m`, `1h`), in milliseconds. */
export function duration({ minMs = 0, maxMs = 24 * HOUR_MS } = {}) {
  return createSchema((text) => {
    const [, amount, unit = ''] = DURATION.exec(text) ?? []
    const unitMs = UNIT_MS.get(unit)
    if (unitMs === undefined) {
      throw new Error(`must be a duration such as 500ms, 10s or 5m, not ${quote(text)}`)
    }
    const ms = Number(amount) * unitMs
    if (ms < minMs || ms > maxMs) {
      const bounds = `${formatDuration(minMs)} to ${formatDuration(maxMs)}`
      throw new Error(`must be from ${bounds}, not ${quote(text)}`)
    }
    return Math.round(ms)
  })
}

/** Formats milliseconds in the largest unit that gives a whole number: `0s`, `500ms`, `1h`. */
function formatDuration(ms: number): string {
  if (ms === 0) return '0s'
  const [unit, unitMs] = [...UNIT_MS].find(([, each]) => ms % each === 0) ?? ['ms', 1]
  return `${ms / unitMs}${unit}`
}

/** Creates the schema of a whole number within bounds. */
export function integer({ min, max }: { min: number; max: number }) {
  return createSchema((text) => {
    const value = parseWholeNumber(text, { min, max })
    if (value === undefined) {
      throw new Error(`must be a whole number from ${min} to ${max}, not ${quote(text)}`)
    }
    return value
  })
}

/** `true` or `false`. */
export const flag = createSchema((text) => {
  if (text !== 'true' && text !== 'false') {
    throw new Error(`must be true or false, not ${quote(text)}`)
  }
  return text === 'true'
})

/** Creates the schema of a closed set of words. */
export function choice<const T extends string>(...allowed: readonly T[]) {
  return createSchema((text): T => {
    const found = allowed.find((word) => word === text)
    if (found === undefined) {
      throw new Error(`must be one of ${allowed.join(', ')}, not ${quote(text)}`)
    }
    return found
  })
}

function splitList(text: string): string[] {
  const items = text.split(',').map((item) => item.trim())
  if (items.some((item) => item === '')) throw new Error(`has an empty item: ${quote(text)}`)
  return items
}

function parseResource(text: string): string {
  // Quotes come from files that do not unquote values, such as Docker's env files.
  if (!isResource(text) || text.includes('"')) {
    throw new Error(`must be a resource such as https://vault.azure.net, not ${quote(text)}`)
  }
  return text
}

function parseAddress(text: string): Address {
  const [, bracketed, plain, port] =
    /^(?:\[([^\]]+)\]|([^:[\]/?#@\\\s]+)):(\d{1,5})$/.exec(text) ?? []
  const host = bracketed ?? plain
  // URL parsing rejects a host that ends in a number and is no address, such as 999.1.1.1.
  const isHost = bracketed === undefined ? URL.canParse(`http://${plain}`) : isIP(bracketed) === 6
  if (host === undefined || !isHost) {
    throw new Error(`must be host:port or [IPv6]:port, not ${quote(text)}`)
  }
  if (host.includes('%')) {
    // No URL can have one.
    throw new Error(
      `must be an address without a zone (%…), such as [::1]:${port}, not ${quote(text)}`,
    )
  }
  if (Number(port) > 65_535) throw new Error(`has a port above 65535: ${quote(text)}`)
  return { host, port: Number(port) }
}

function parseHttpsUrl(text: string): URL {
  if (!URL.canParse(text)) throw new Error(`must be a URL such as https://HOST, not ${quote(text)}`)
  const url = new URL(text)
  if (url.protocol !== 'https:') throw new Error(`must start with https://, not ${quote(text)}`)
  if (url.username !== '' || url.password !== '') throw new Error('must hold no credentials')
  return url
}

/** Quotes a value for an error, scrubbed and truncated: it may be a misplaced secret. */
export function quote(text: string): string {
  const shown = scrubSetting(text)
  return JSON.stringify(shown.length > 60 ? `${shown.slice(0, 20)}…` : shown)
}

const KINDS: Readonly<Record<string, string>> = {
  string: 'text',
  number: 'a number',
  boolean: 'true or false',
  array: 'a list',
  object: 'a mapping',
  record: 'a mapping',
}

/** Formats the type that a schema expected as `a list`. */
export function formatKind(expected: string): string {
  return KINDS[expected] ?? expected
}
