/** The source of doctor without a sidecar: projected tokens that it reads, and exchanges that it makes, by the same settings. */
import type { Config } from '../../broker/config/config.ts'
import { createAssertionReader } from '../../broker/exchange/assertion.ts'
import type { Identity } from '../../broker/identities.ts'
import { describeAssertion, describeIdentities } from '../../broker/telemetry/status.ts'
import { systemClock, toWallTimes } from '../../broker/tokens/lifetime.ts'
import { findCloud } from '../../lib/clouds.ts'
import { toBrokerError } from '../../lib/errors.ts'
import { toScope } from '../../lib/resource.ts'
import { scrub } from '../../lib/secret.ts'
import { describeFailure } from '../../service/describe-failure.ts'
import { createDirectExchange, type DirectExchange } from '../direct-exchange.ts'
import type { TokenStatus } from './status.ts'

/** Reads the projected tokens, and exchanges each for the resources of its identities. */
export async function createStatus(config: Config): Promise<TokenStatus> {
  const { directory, tokenFiles, exchange } = config
  const read = createAssertionReader({ audience: exchange.audience })
  const assertions = tokenFiles.map(async (file) => {
    try {
      return describeAssertion([file, { ok: true, assertion: await read(file) }])
    } catch (error) {
      return describeAssertion([file, { ok: false, error: toBrokerError(error), since: 0 }])
    }
  })
  await using direct = createDirectExchange(config)
  const tokens: TokenStatus['tokens'][number][] = []
  // One exchange after the other: this is not a load test.
  for (const identity of directory.identities) {
    for (const resource of findResources(identity)) {
      tokens.push(await exchangeOnce(direct, identity, resource))
    }
  }
  const skewMs = direct.skewMs()
  return {
    generatedAt: new Date().toISOString(),
    clockSkewSeconds: skewMs === undefined ? undefined : skewMs / 1000,
    identities: describeIdentities(directory),
    assertions: await Promise.all(assertions),
    tokens,
  }
}

/** Also a token that has expired by the local clock is sent: that clock may be the wrong one. */
async function exchangeOnce(
  { exchange }: DirectExchange,
  identity: Identity,
  resource: string,
): Promise<TokenStatus['tokens'][number]> {
  const { name, clientId } = identity
  const asked = { identity: name, clientId, resource: scrub(resource) }
  try {
    const { lifetime } = await exchange({ identity, scope: toScope(resource) })
    const { expiresAt } = toWallTimes(lifetime, systemClock)
    return { ...asked, cached: { expiresAt: new Date(expiresAt).toISOString() } }
  } catch (error) {
    return { ...asked, failure: describeFailure(toBrokerError(error)) }
  }
}

const DEFAULT_RESOURCE = 'https://management.azure.com/'
/** Azure Resource Manager, which every subscription has, of other clouds. */
const RESOURCES: Readonly<Record<string, string>> = {
  AzureUSGovernmentCloud: 'https://management.usgovcloudapi.net/',
  AzureChinaCloud: 'https://management.chinacloudapi.cn/',
}

/** Returns the resources to prefetch, or else one that the identity may request. */
function findResources({ prefetch, resources = [], authorityHost }: Identity): readonly string[] {
  if (prefetch.length > 0) return prefetch
  const { azEnvironment = '' } = findCloud(new URL(authorityHost).hostname) ?? {}
  return [resources[0] ?? RESOURCES[azEnvironment] ?? DEFAULT_RESOURCE]
}
