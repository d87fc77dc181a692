/** Reads projected tokens and makes exchanges by the settings of a sidecar. Doctor checks the result like a status document. */
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

type Token = TokenStatus['tokens'][number]

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
  const tokens: Token[] = []
  // One exchange after the other: this is not a load test.
  for (const identity of directory.identities) {
    const { prefetch, resources = [] } = identity
    const named = prefetch.length > 0 ? prefetch : resources.slice(0, 1)
    for (const resource of named) tokens.push(await exchangeOnce(direct, identity, resource))
    if (named.length === 0) tokens.push(await exchangeForResourceManager(direct, identity))
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

/** Exchanges for Azure Resource Manager, which every subscription has, since the identity names no resource. */
async function exchangeForResourceManager(
  direct: DirectExchange,
  identity: Identity,
): Promise<Token> {
  const { azEnvironment = '' } = findCloud(new URL(identity.authorityHost).hostname) ?? {}
  const known = RESOURCE_MANAGERS[azEnvironment]
  const resource = known ?? PUBLIC_RESOURCE_MANAGER
  const token = await exchangeOnce(direct, identity, resource)
  if (known !== undefined || token.failure?.code !== 'resource_refused') return token
  const fix = `name a resource of the cloud of ${identity.authorityHost}, by WIMDS_PREFETCH, the annotation wimds.io/prefetch or prefetch in the identities file: doctor asked for ${resource}, since the identity names none`
  return { ...token, failure: { ...token.failure, fix } }
}

/** Exchanges once. Also sends a projected token that has expired by the local clock: that clock may be the wrong one. */
async function exchangeOnce(
  { exchange }: DirectExchange,
  identity: Identity,
  resource: string,
): Promise<Token> {
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

const PUBLIC_RESOURCE_MANAGER = 'https://management.azure.com/'
/** The resource of Azure Resource Manager in each cloud, by its `azEnvironment`. */
const RESOURCE_MANAGERS: Readonly<Record<string, string>> = {
  AzurePublicCloud: PUBLIC_RESOURCE_MANAGER,
  AzureUSGovernmentCloud: 'https://management.usgovcloudapi.net/',
  AzureChinaCloud: 'https://management.chinacloudapi.cn/',
}
