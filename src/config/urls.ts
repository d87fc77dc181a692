/** Readers of settings that say where traffic goes and whom it trusts. */
import { X509Certificate } from 'node:crypto'
import { Secret } from '../secret.ts'
import { quote, reading } from './values.ts'

/**
 * A proxy's URL, of which `http://` may be left out; a secret, since it can hold a password. Errors
 * repeat nothing of it for the same reason.
 */
export const proxyUrl = reading((text) => {
  const url = /^[a-z][a-z0-9+.-]*:\/\//i.test(text) ? text : `http://${text}`
  if (!URL.canParse(url)) throw new Error('must be the URL of a proxy, such as http://proxy:3128')
  const { protocol, username, password, pathname, search, hash } = new URL(url)
  if (protocol !== 'http:' && protocol !== 'https:') {
    throw new Error(`must be an http:// or https:// proxy, not ${quote(protocol)}`)
  }
  if (pathname !== '/' || search !== '' || hash !== '') {
    throw new Error('must be a host and a port alone, with each / ? # in its password encoded')
  }
  if (!isDecodable(username) || !isDecodable(password)) {
    throw new Error('must have each % in its user and password written as %25')
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

/** The cluster's token proxy (identity bindings): https, and nothing but a host and a path. */
export const tokenProxyUrl = reading((text) => {
  if (!URL.canParse(text)) throw new Error(`must be a URL, not ${quote(text)}`)
  const url = new URL(text)
  if (url.protocol !== 'https:') throw new Error(`must start with https://, not ${quote(text)}`)
  if (url.username !== '' || url.password !== '') throw new Error('must hold no credentials')
  if (url.search !== '' || text.includes('?')) throw new Error('must have no query')
  if (url.hash !== '' || text.includes('#')) throw new Error('must have no fragment')
  return url.href
})

const CERTIFICATE = /-----BEGIN CERTIFICATE-----[\s\S]+?-----END CERTIFICATE-----/g

/** One or more PEM certificates. */
export const certificates = reading((text) => {
  if (!isCertificates(text)) throw new Error('must hold PEM certificates')
  return text
})

/** True for text with at least one PEM certificate, if all in it can be read. */
export function isCertificates(text: string): boolean {
  const found = text.match(CERTIFICATE) ?? []
  return found.length > 0 && found.every(isCertificate)
}

function isCertificate(pem: string): boolean {
  try {
    return new X509Certificate(pem).subject !== undefined
  } catch {
    return false
  }
}
