/** Readers of single setting values: text in, a typed value out, or a sentence that says what is wrong. */
import { isIP } from 'node:net'
import * as z from 'zod/mini'
import { isGuid } from '../lib/guid.ts'
import { passThroughMistake } from '../metadata/pass-through-paths.ts'
import { isResource } from '../resource.ts'
import { scrub, scrubSetting, Secret } from '../secret.ts'

/** Where a server listens. */
export interface Address {
  readonly host: string
  readonly port: number
}

const DOMAIN =
  /^(?=.{4,253}$)[a-z0-9](?:[a-z0-9-]*[a-z0-9])?(?:\.[a-z0-9](?:[a-z0-9-]*[a-z0-9])?)+$/i
const RESERVED_TENANTS = new Set(['common', 'organizations', 'consumers'])
const DURATION = /^(\d+(?:\.\d+)?)(ms|s|m|h)$/
const HOUR_MS = 3_600_000
const UNIT_MS: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, h: HOUR_MS }

/** A schema that runs `read` on the text and turns what it throws into the setting's error. */
export function reading<T>(read: (text: string) => T) {
  return z.pipe(
    z.string(),
    z.transform((text, context): T => {
      try {
        return read(text)
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

/** A GUID, kept in lower case so that ids compare by value. */
export const guid = reading((text) => {
  if (!isGuid(text)) throw new Error(`must be a GUID, not ${quote(text)}`)
  return text.toLowerCase()
})

/** A tenant: its GUID or one of its verified domains. The shared endpoints name no tenant. */
export const tenant = reading((text) => {
  if (RESERVED_TENANTS.has(text.toLowerCase())) {
    throw new Error(`must name one tenant; ${quote(text)} stands for many`)
  }
  if (!isGuid(text) && !DOMAIN.test(text)) {
    throw new Error(`must be a tenant's GUID or verified domain, not ${quote(text)}`)
  }
  return text.toLowerCase()
})

/** `https://host[:port]` with nothing behind it; the origin is what it gives. */
export const authorityHost = reading((text) => {
  const url = parseUrl(text)
  if (url.protocol !== 'https:') throw new Error(`must start with https://, not ${quote(text)}`)
  if (url.username !== '' || url.password !== '') throw new Error('must hold no credentials')
  if (url.pathname !== '/' || url.search !== '' || url.hash !== '') {
    throw new Error(`must be a host alone, such as https://login.microsoftonline.com/`)
  }
  return url.origin
})

/** Comma-separated `host:port` pairs; an IPv6 address stands in brackets. */
export const addresses = reading((text) => list(text).map(parseAddress))

/** As `addresses`, and `off` for none. */
export const addressesOrOff = reading((text) =>
  text === 'off' ? [] : list(text).map(parseAddress),
)

/** An Azure region's name, such as `westeurope`. */
export const region = reading((text) => {
  if (!/^[a-z][a-z0-9]{2,39}$/.test(text)) {
    throw new Error(`must be the name of an Azure region, such as westeurope, not ${quote(text)}`)
  }
  return text
})

/** Path of a projected token. One that is the token itself is a mistake that is easily made. */
export const tokenPath = reading((text) => {
  if (!text.includes('/') && scrub(text) !== text) {
    throw new Error('must be the path of the projected token, not the token itself')
  }
  return text
})

/** A credential. */
export const secret = reading((text) => new Secret(text))

/** A resource that tokens are for. */
export const resource = reading(resourceOf)

/** Comma-separated resources. */
export const resources = reading((text) => list(text).map(resourceOf))

/** Comma-separated hosts, without ports; an IPv6 address stands in brackets. */
export const hosts = reading((text) => {
  const names = list(text)
  for (const name of names) {
    if (!URL.canParse(`http://${name}`) || new URL(`http://${name}`).host !== name.toLowerCase()) {
      throw new Error(`must be hosts alone, such as metadata.azure.internal, not ${quote(name)}`)
    }
  }
  return names
})

/** Comma-separated path prefixes that may be passed on to the real metadata service. */
export const paths = reading((text) => {
  const prefixes = list(text)
  for (const prefix of prefixes) {
    const mistake = passThroughMistake(prefix)
    if (mistake !== undefined) throw new Error(`${mistake}: ${quote(prefix)}`)
  }
  return prefixes
})

/** A number with its unit (`500ms`, `10s`, `5m`, `1h`), in milliseconds. */
export function duration({ minMs = 0, maxMs = 24 * HOUR_MS } = {}) {
  return reading((text) => {
    const [, amount, unit = ''] = DURATION.exec(text) ?? []
    const unitMs = UNIT_MS[unit]
    if (unitMs === undefined) {
      throw new Error(`must be a duration such as 500ms, 10s or 5m, not ${quote(text)}`)
    }
    const ms = Number(amount) * unitMs
    if (ms < minMs || ms > maxMs) throw new Error(`must be from ${minMs}ms to ${maxMs}ms`)
    return Math.round(ms)
  })
}

/** A whole number within bounds. */
export function integer({ min, max }: { min: number; max: number }) {
  return reading((text) => {
    const value = Number(text)
    if (!/^\d+$/.test(text) || value < min || value > max) {
      throw new Error(`must be a whole number from ${min} to ${max}, not ${quote(text)}`)
    }
    return value
  })
}

/** `true` or `false`. */
export const flag = reading((text) => {
  if (text !== 'true' && text !== 'false') {
    throw new Error(`must be true or false, not ${quote(text)}`)
  }
  return text === 'true'
})

/** One of a closed set of words. */
export function choice<const T extends string>(...allowed: readonly T[]) {
  return reading((text): T => {
    const found = allowed.find((word) => word === text)
    if (found === undefined) {
      throw new Error(`must be one of ${allowed.join(', ')}, not ${quote(text)}`)
    }
    return found
  })
}

function list(text: string): string[] {
  const items = text.split(',').map((item) => item.trim())
  if (items.some((item) => item === '')) throw new Error(`has an empty item: ${quote(text)}`)
  return items
}

function resourceOf(text: string): string {
  // Quotes are left over from a file where they had no meaning.
  if (!isResource(text) || text.includes('"')) {
    throw new Error(`must be a resource such as https://vault.azure.net, not ${quote(text)}`)
  }
  return text
}

function parseAddress(text: string): Address {
  const [, bracketed, plain, port] =
    /^(?:\[([^\]]+)\]|([^:[\]/?#@\\\s]+)):(\d{1,5})$/.exec(text) ?? []
  const host = bracketed ?? plain
  // A URL's host that ends in a number has to be an address, so that 999.1.1.1 is a mistake.
  const isHost = bracketed === undefined ? URL.canParse(`http://${plain}`) : isIP(bracketed) === 6
  if (host === undefined || !isHost) {
    throw new Error(`must be host:port or [IPv6]:port, not ${quote(text)}`)
  }
  if (Number(port) > 65_535) throw new Error(`has a port above 65535: ${quote(text)}`)
  return { host, port: Number(port) }
}

function parseUrl(text: string): URL {
  if (!URL.canParse(text)) throw new Error(`must be a URL, not ${quote(text)}`)
  return new URL(text)
}

/** Values are shown back to their writer, but never at length: one may be a misplaced secret. */
export function quote(text: string): string {
  const shown = scrubSetting(text)
  return JSON.stringify(shown.length > 60 ? `${shown.slice(0, 20)}…` : shown)
}
