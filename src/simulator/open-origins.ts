/** The sites of a world's servers, with certificates of an authority of its own. */
import type { Dispatcher } from 'undici'
import { createCertificateAuthority } from '../lib/x509.ts'
import { simulatorDispatcher } from './http/dispatcher.ts'
import type { Site, Sites } from './http/origins.ts'
import { openTokenProxy, type TokenProxySite } from './token-proxy.ts'
import type { SimulatorOptions } from './options.ts'

interface WorldSites {
  readonly issuer: Site
  readonly entra: Site
  readonly vault: Site
  /** Undefined unless the options say where it listens. It passes on what it gets as it is. */
  readonly tokenProxy: TokenProxySite | undefined
  /** The authority's certificate. */
  readonly caPem: string
  /** Reaches all of them without their ports. */
  readonly dispatcher: Dispatcher
}

/** Opens them all: what a server says holds others' URLs. None but the token proxy is there yet. */
export async function openWorldSites(
  sites: Sites,
  { listen = {}, names = [], addresses = [], tls }: SimulatorOptions,
): Promise<WorldSites> {
  const authority = await createCertificateAuthority({ commonName: 'wimds simulator CA' })
  const own = await authority.issue({
    names: [...names, 'localhost'],
    addresses: [...new Set([...addresses, '127.0.0.1', '::1'])],
  })
  const [publicName] = names
  const known = { tls: tls ?? own, publicName }
  const issuer = await sites.open('issuer', { ...listen.issuer, tls: own })
  const entra = await sites.open('entra', { ...listen.entra, ...known })
  const vault = await sites.open('vault', { ...listen.vault, ...known })
  const dispatcher = simulatorDispatcher(sites.inMemory)
  const tokenProxy = await openTokenProxy(sites, authority, {
    listen: listen.tokenProxy,
    publicName,
    authorityHost: entra.url,
    dispatcher,
  })
  return { issuer, entra, vault, tokenProxy, caPem: authority.caPem, dispatcher }
}
