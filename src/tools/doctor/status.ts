/** The first source of doctor: the status document of a sidecar, or one like it that doctor makes from the same settings. */
import * as z from 'zod/mini'
import type { Config } from '../../broker/config/config.ts'
import { createAssertionReader } from '../../broker/exchange/assertion.ts'
import type { Identity } from '../../broker/identities.ts'
import { describeAssertion, describeIdentities } from '../../broker/telemetry/status.ts'
import { StatusSchema } from '../../broker/telemetry/status-schema.ts'
import { systemClock, toWallTimes } from '../../broker/tokens/lifetime.ts'
import { findCloud } from '../../lib/clouds.ts'
import { errorMessage } from '../../lib/describe-error.ts'
import { toBrokerError } from '../../lib/errors.ts'
import { parseJson } from '../../lib/json.ts'
import { toScope } from '../../lib/resource.ts'
import { scrub } from '../../lib/secret.ts'
import { type GetOptions, sendGet } from '../../lib/send-get.ts'
import { describeFailure } from '../../service/describe-failure.ts'
import { createDirectExchange, type DirectExchange } from '../direct-exchange.ts'
import { endUnmade } from './findings.ts'

/** An answer, or why there was none. */
export interface LocalReply<T> {
  /** The HTTP status; undefined: there was no answer. */
  readonly status?: number
  /** The parts of the body that the schema has; undefined if it is something else. */
  readonly data?: T | undefined
  readonly error?: string
}

const TIMEOUT_MS = 5000

/** Sends a GET to a server of this machine. */
export async function getLocal<T>(
  url: string,
  schema: z.ZodMiniType<T>,
  options: Partial<GetOptions> = {},
): Promise<LocalReply<T>> {
  try {
    const { status, body } = await sendGet(url, { timeoutMs: TIMEOUT_MS, ...options })
    return { status, data: schema.safeParse(parseJson(body)).data }
  } catch (error) {
    return { error: errorMessage(error) }
  }
}

/** The longest status document that is read. */
const MAX_STATUS_BYTES = 16 * 1024 * 1024

/** The parts of a status document that doctor reads. A sidecar of another version may write the others in another form. */
const Status = z.pick(StatusSchema, {
  generatedAt: true,
  startedAt: true,
  clockSkewSeconds: true,
  identities: true,
  assertions: true,
  tokens: true,
  failedRequests: true,
  problems: true,
  settings: true,
  warnings: true,
})
export type ReportedStatus = z.infer<typeof Status>

type Token = Pick<
  ReportedStatus['tokens'][number],
  'identity' | 'clientId' | 'resource' | 'failure'
>

/** What the checks of tokens read. */
export interface TokenStatus extends Pick<
  ReportedStatus,
  'generatedAt' | 'clockSkewSeconds' | 'identities' | 'assertions'
> {
  readonly tokens: readonly (Token & { cached?: { expiresAt: string } | undefined })[]
}

/**
 * Reads the status document of a sidecar, or of a pod in the broker of its node. Returns undefined if the server answers
 * 404. Ends the check as not made if there is no such document.
 */
export async function readStatus(
  url: string,
  ...details: string[]
): Promise<ReportedStatus | undefined> {
  const limits = { timeoutMs: 2 * TIMEOUT_MS, maxBytes: MAX_STATUS_BYTES }
  const { status, data, error } = await getLocal(url, Status, limits)
  if (data !== undefined || status === 404) return data
  const answer = `answered ${status}, but with no status of this version`
  const reason = error === undefined ? answer : `does not answer (${error})`
  return endUnmade(`${url} ${reason}`, ...details)
}

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
