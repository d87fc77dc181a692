/** Attempts the token exchanges, and creates the commands that fix a failed one. */
import { findCloud } from '../../lib/clouds.ts'
import { type BrokerError, toBrokerError } from '../../lib/errors.ts'
import type { Config } from '../../broker/config/config.ts'
import { usesTokenProxy } from '../../broker/exchange/assertion.ts'
import { describeSkew, isSkewed, SKEW_FIX } from '../../broker/exchange/clock-skew.ts'
import type { Identity } from '../../broker/identities.ts'
import { systemClock, toWallTimes } from '../../broker/tokens/lifetime.ts'
import { toScope } from '../../lib/resource.ts'
import type { DirectExchange } from '../direct-exchange.ts'
import type { AssertionCheck } from './assertion-check.ts'
import { type Commands, createCredentialCommands } from './credential-commands.ts'
import type { Finding } from './doctor-report.ts'
import { createFinding, failed, notChecked, type Outcome, passed } from './findings.ts'

interface ExchangeOptions {
  readonly config: Config
  readonly direct: DirectExchange
  /** The checks of the projected tokens, by their files. */
  readonly assertions: ReadonlyMap<string, AssertionCheck>
}

/** Returns the finding of the clock, which is read from the replies, and then the findings of the exchanges. */
export async function checkExchanges(options: ExchangeOptions): Promise<Finding[]> {
  const { config, direct } = options
  const findings: Finding[] = []
  // One exchange after the other: this is not a load test.
  for (const identity of config.directory.identities) {
    for (const resource of findResources(identity)) {
      const outcome = await checkExchange(identity, resource, options)
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

async function checkExchange(
  identity: Identity,
  resource: string,
  { config, direct, assertions }: ExchangeOptions,
): Promise<Outcome> {
  const check = assertions.get(identity.tokenFile)
  const tokenCode = check?.finding.failure?.code
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
    return { ...failed(error), commands: createCommands(error, identity, config, check) }
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

/**
 * Returns the commands that fix a failed exchange; none for a projected token that fails or goes to the token proxy.
 */
function createCommands(
  { code, entra }: BrokerError,
  identity: Identity,
  { exchange }: Config,
  check: AssertionCheck | undefined,
): Commands {
  const assertion = check?.finding.status === 'ok' ? check.assertion : undefined
  if (assertion === undefined) return []
  if (exchange.tokenProxy !== undefined && usesTokenProxy(identity, assertion)) return []
  return createCredentialCommands(code, identity, entra?.assertion ?? assertion)
}
