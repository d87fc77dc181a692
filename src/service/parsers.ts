/** The schemas of settings. Each one parses a text into a typed value, or explains the problem in a sentence. */
import { isIP } from 'node:net'
import * as z from 'zod/mini'
import { isGuid, type NumberRange, parseWholeNumber } from '../lib/grammars.ts'
import { isCertificates } from '../lib/pem.ts'
import { isResource } from '../lib/resource.ts'
import { scrub, scrubSetting, Secret } from '../lib/secret.ts'

/** An address to listen on. */
export interface Address {
  readonly host: string
  readonly port: number
}

const DOMAIN =
  /^(?=.{4,253}$)[a-z0-9](?:[a-z0-9-]*[a-z0-9])?(?:\.[a-z0-9](?:[a-z0-9-]*[a-z0-9])?)+$/i
const SERVER_NAME = /^(?=.{1,253}$)[a-z0-9-]{1,63}(?:\.[a-z0-9-]{1,63})*$/i
const RESERVED_TENANTS = new Set(['common', 'organizations', 'consumers'])
const DURATION = /^(\d+(?:\.\d+)?)(ms|s|m|h)$/
const UNIT_MS: ReadonlyMap<string, number> = new Map([
  ['ms', 1],
  ['s', 1000],
  ['m', 60_000],
  ['h', 3_600_000],
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

/** Throws the problem `must be EXPECTED, not "TEXT"`. */
export function reject(text: string, expected: string): never {
  throw new Error(`must be ${expected}, not ${quote(text)}`)
}

/** Creates the schema of a text that matches a pattern. */
export function matching(pattern: RegExp, expected: string) {
  return createSchema((text) => (pattern.test(text) ? text : reject(text, expected)))
}

/** A GUID, lower-cased so that ids compare by value. */
export const guid = createSchema((text) =>
  isGuid(text) ? text.toLowerCase() : reject(text, 'a GUID'),
)

/** A tenant: its GUID or one of its verified domains. `common`, `organizations` and `consumers` name no tenant. */
export const tenant = createSchema((text) => {
  if (RESERVED_TENANTS.has(text.toLowerCase())) {
    throw new Error(`must name one tenant, but ${quote(text)} does not`)
  }
  if (!isGuid(text) && !DOMAIN.test(text)) reject(text, "a tenant's GUID or verified domain")
  return text.toLowerCase()
})

/** Parses `https://host[:port]` without a path. Returns its origin. */
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
export const addresses = listOf(parseAddress)

/** Comma-separated `host:port` pairs, or `off` for none. */
export const addressesOrOff = createSchema((text) =>
  text === 'off' ? [] : splitList(text).map(parseAddress),
)

export const region = matching(
  /^[a-z][a-z0-9]{2,39}$/,
  'the name of an Azure region, such as westeurope',
)

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
    reject(protocol, 'an http:// or https:// proxy')
  }
  if (pathname !== '/' || search !== '' || hash !== '') {
    throw new Error(
      'must have no path, query or fragment; percent-encode each / ? # of the password',
    )
  }
  try {
    decodeURIComponent(`${username}:${password}`)
  } catch {
    throw new Error('must have each % of its user and password encoded as %25')
  }
  return new Secret(url)
})

/** The URL of the cluster's token proxy (identity bindings): https, a host and a path. */
export const tokenProxyUrl = createSchema((text) => {
  const url = parseHttpsUrl(text)
  if (text.includes('?')) throw new Error('must have no query')
  if (text.includes('#')) throw new Error('must have no fragment')
  return url.href
})

/** One or more PEM certificates. */
export const certificates = createSchema((text) => {
  if (!isCertificates(text)) throw new Error('must hold PEM certificates')
  return text
})

/** A credential that callers send as a header. HTTP removes blanks at both ends of a header. */
export const headerSecret = createSchema((text) => {
  if (!/^[!-~](?:[ -~]*[!-~])?$/.test(text)) {
    throw new Error(
      'must be ASCII without control characters, blanks or line breaks at its ends; create the Secret by printf or --from-literal',
    )
  }
  return new Secret(text)
})

/** The name of a TLS server. */
export const serverName = createSchema((text) => {
  const isName = SERVER_NAME.test(text) && isIP(text) === 0
  return isName ? text : reject(text, 'a host name, such as the one that AKS sets')
})

export const resource = createSchema(parseResource)

export const resources = listOf(parseResource)

/** Comma-separated hosts without ports; IPv6 addresses in brackets. */
export const hosts = listOf(parseHost)

/** Creates the schema of a duration with its unit (`500ms`, `10s`, `5m`, `1h`), in milliseconds. */
export function duration({ min = '0s', max = '24h' } = {}) {
  return createSchema((text) => {
    const ms = parseDuration(text)
    if (Number.isNaN(ms)) reject(text, 'a duration such as 500ms, 10s or 5m')
    if (ms < parseDuration(min) || ms > parseDuration(max)) reject(text, `from ${min} to ${max}`)
    return Math.round(ms)
  })
}

/** Returns the milliseconds; NaN if the text is no duration. */
function parseDuration(text: string): number {
  const [, amount, unit = ''] = DURATION.exec(text) ?? []
  return Number(amount) * (UNIT_MS.get(unit) ?? NaN)
}

/** Creates the schema of a whole number within bounds. */
export function integer({ min, max }: NumberRange) {
  return createSchema(
    (text) =>
      parseWholeNumber(text, { min, max }) ?? reject(text, `a whole number from ${min} to ${max}`),
  )
}

export const flag = createSchema((text) => {
  if (text !== 'true' && text !== 'false') reject(text, 'true or false')
  return text === 'true'
})

/** Creates the schema of a value that is one of these words. */
export function choice<const T extends string>(...allowed: readonly T[]) {
  return createSchema(
    (text): T =>
      allowed.find((word) => word === text) ?? reject(text, `one of ${allowed.join(', ')}`),
  )
}

/** Creates the schema of a comma-separated list. */
export function listOf<T>(parse: (item: string) => T) {
  return createSchema((text) => splitList(text).map(parse))
}

function splitList(text: string): string[] {
  const items = text.split(',').map((item) => item.trim())
  if (items.includes('')) throw new Error(`has an empty item: ${quote(text)}`)
  return items
}

function parseResource(text: string): string {
  // Quotes come from files that do not unquote values, such as Docker's env files.
  if (isResource(text) && !text.includes('"')) return text
  return reject(text, 'a resource such as https://vault.azure.net')
}

function parseHost(text: string): string {
  const url = `http://${text}`
  if (URL.canParse(url) && new URL(url).host === text.toLowerCase()) return text
  return reject(text, 'hosts without scheme and port, such as metadata.azure.internal')
}

function parseAddress(text: string): Address {
  const [, bracketed, plain, port] =
    /^(?:\[([^\]]+)\]|([^:[\]/?#@\\\s]+)):(\d{1,5})$/.exec(text) ?? []
  const host = bracketed ?? plain
  // URL parsing rejects a host that ends in a number and is no address, such as 999.1.1.1.
  const isHost = bracketed === undefined ? URL.canParse(`http://${plain}`) : isIP(bracketed) === 6
  if (host === undefined || !isHost) return reject(text, 'host:port or [IPv6]:port')
  // A URL cannot have a zone.
  if (host.includes('%')) reject(text, `an address without a zone (%…), such as [::1]:${port}`)
  if (Number(port) > 65_535) throw new Error(`has a port above 65535: ${quote(text)}`)
  return { host, port: Number(port) }
}

function parseHttpsUrl(text: string): URL {
  if (!URL.canParse(text)) reject(text, 'a URL such as https://HOST')
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
  int: 'a whole number',
  boolean: 'true or false',
  array: 'a list',
  tuple: 'a list',
  object: 'a mapping',
  record: 'a mapping',
}

/** Returns the words for an expected type, such as `a list`. */
export function formatKind(expected: string): string {
  return KINDS[expected] ?? expected
}
