/** Attempts the token exchanges, and creates the commands that fix a failed one. */
import { findCloud } from '../../lib/clouds.ts'
import { toBrokerError } from '../../lib/errors.ts'
import type { Config } from '../../broker/config/config.ts'
import { usesTokenProxy } from '../../broker/exchange/assertion.ts'
import { describeSkew, isSkewed, SKEW_FIX } from '../../broker/exchange/clock-skew.ts'
import type { Identity } from '../../broker/identities.ts'
import { systemClock, toWallTimes } from '../../broker/tokens/lifetime.ts'
import { toScope } from '../../lib/resource.ts'
import { createDirectExchange, type DirectExchange } from '../direct-exchange.ts'
import { createCredentialCommands } from './credential-commands.ts'
import type { Finding } from './doctor-report.ts'
import { createFinding, failed, notChecked, type Outcome, passed } from './findings.ts'

/**
 * Returns the finding of the clock, which is read from the replies, and then the findings of the exchanges. `assertions` are
 * the findings of the projected tokens.
 */
export async function checkExchanges(
  config: Config,
  assertions: readonly Finding[],
): Promise<Finding[]> {
  await using direct = createDirectExchange(config)
  const findings: Finding[] = []
  // One exchange after the other: this is not a load test.
  for (const identity of config.directory.identities) {
    const token = assertions.find(({ subject }) => subject === identity.tokenFile)
    for (const resource of findResources(identity)) {
      const outcome = await checkExchange(identity, resource, { config, direct, token })
      findings.push(createFinding('token_exchange', outcome, `${identity.name} → ${resource}`))
    }
  }
  if (findings.length === 0) {
    findings.push(createFinding('token_exchange', notChecked('no identity is configured')))
  }
  return [createFinding('clock', checkClock(direct.skewMs())), ...findings]
}

/** Returns whether the clock is right; undefined: no reply of Entra ID had the time. */
export function checkClock(skewMs: number | undefined, machine?: string): Outcome {
  if (skewMs === undefined) return notChecked('Entra ID did not answer an exchange')
  const skew = describeSkew(skewMs, machine)
  if (!isSkewed(skewMs)) return passed(skew)
  const consequence =
    skewMs > 0 ? 'projected tokens look expired too early' : 'expired projected tokens look valid'
  return failed({
    code: 'clock_skew',
    problem: `${skew}, so that ${consequence}`,
    fix: SKEW_FIX,
  })
}

interface ExchangeOptions {
  readonly config: Config
  readonly direct: DirectExchange
  /** The finding of the projected token. */
  readonly token: Finding | undefined
}

async function checkExchange(
  identity: Identity,
  resource: string,
  { config, direct, token }: ExchangeOptions,
): Promise<Outcome> {
  const tokenCode = token?.failure?.code
  const invalidToken = notChecked(`the projected token ${identity.tokenFile} fails (${tokenCode})`)
  // A token that has expired by the local clock is sent: that clock may be the wrong one.
  if (tokenCode !== undefined && tokenCode !== 'assertion_expired') return invalidToken
  try {
    const { lifetime } = await direct.exchange({ identity, scope: toScope(resource) })
    const { expiresAt } = toWallTimes(lifetime, systemClock)
    return passed(`token until ${new Date(expiresAt).toISOString()}`)
  } catch (thrown) {
    const skewMs = direct.skewMs()
    const isClockRight = skewMs !== undefined && !isSkewed(skewMs)
    // The local clock is right, so the projected token has expired, and Entra's error says nothing about the identity.
    if (tokenCode !== undefined && isClockRight) return invalidToken
    const error = toBrokerError(thrown)
    const rejected = error.entra?.assertion
    const isProxied = config.exchange.tokenProxy && rejected && usesTokenProxy(identity, rejected)
    // The token proxy has its own credential.
    const commands = isProxied ? [] : createCredentialCommands(error.code, identity, rejected)
    return { ...failed(error), commands }
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
