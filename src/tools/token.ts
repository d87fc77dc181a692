/** `wimds token RESOURCE`: prints an access token, for shell scripts. */
import { loadConfig } from '../broker/config/config.ts'
import { guid } from '../service/parsers.ts'
import { findGraceMs } from '../broker/tokens/grace.ts'
import { type BrokerError, toBrokerError, UsageError } from '../lib/errors.ts'
import {
  createIdentityResolver,
  requireAllowedResource,
  type Selector,
} from '../broker/identities.ts'
import { systemClock, toWallTimes } from '../broker/tokens/lifetime.ts'
import type { AccessToken } from '../broker/tokens/token.ts'
import { isResource, toScope } from '../lib/resource.ts'
import { printError } from '../lib/describe-error.ts'
import { formatDocument } from './json-document.ts'
import {
  type CommandDeclaration,
  findConflict,
  type Flags,
  isJsonOutput,
  OUTPUT_FLAGS,
  parseFlags,
  parseSettingFlag,
} from '../lib/args.ts'
import { createDirectExchange } from './direct-exchange.ts'
import type { CommandIo } from '../lib/command.ts'

export const TOKEN = {
  name: 'token',
  group: 'Use in shells and scripts',
  summary: 'print an access token',
  arguments: 'RESOURCE',
  description:
    'Exchanges the projected token for an access token with the settings of wimds serve, and prints it. It asks Entra ID directly, with or without a running sidecar, and caches nothing.',
  flags: {
    'client-id': {
      value: 'ID',
      help: 'the identity with this client id instead of the default one',
    },
    ...OUTPUT_FLAGS,
    'curl-config': { help: 'print a line for curl, which keeps the token out of process lists' },
  },
  examples: ['curl --config <(wimds token https://vault.azure.net --curl-config) URL'],
  exitCodes: { 1: 'the exchange failed' },
} as const satisfies CommandDeclaration

type TokenFlags = Flags<keyof typeof TOKEN.flags>

/** Prints a token. Returns 0, or 1 if the exchange failed. Throws `UsageError` and `ConfigError`. */
export async function token(args: readonly string[], io: CommandIo): Promise<number> {
  const flags = parseFlags(args, TOKEN)
  const { resource, selector } = parseOptions(flags)
  const config = await loadConfig(io.env)
  await using direct = createDirectExchange(config)
  const printLine = (line: string) => printError(io, 'wimds token', line)
  try {
    const identity = createIdentityResolver(config.directory)(selector)
    requireAllowedResource(identity, resource)
    const request = { identity, scope: toScope(resource) }
    const obtained = await direct.exchange(request)
    const text = obtained.secret.reveal()
    const printed = flags.has('curl-config') ? `header = "Authorization: Bearer ${text}"` : text
    const { clientId } = identity
    const about = { resource, clientId, ...formatTimes(obtained.lifetime) }
    const document = { accessToken: text, tokenType: 'Bearer', ...about }
    io.stdout.write(isJsonOutput(flags) ? formatDocument(document) : `${printed}\n`)
    return 0
  } catch (thrown) {
    const error = toBrokerError(thrown)
    printLine(`${error.code}: ${error.message}`)
    const advice = formatAdvice(error)
    if (advice !== undefined) printLine(advice)
    return 1
  }
}

/** The codes of failures that a sidecar retries, but that last until a setting or a volume is changed. */
const NEEDS_CHANGE = new Set(['entra_tls', 'assertion_malformed', 'assertion_audience'])

function formatAdvice(error: BrokerError): string | undefined {
  if (findGraceMs(error) > 0) {
    return 'if the federated credential or the application was created minutes ago, run this command again in 30 s'
  }
  if (error.isPermanent || NEEDS_CHANGE.has(error.code)) return undefined
  const seconds = Math.ceil((error.retryAfterMs ?? 5000) / 1000)
  return `this failure may pass: run this command again in ${seconds} s`
}

function parseOptions(flags: TokenFlags) {
  const [resource] = flags.positionals
  const problems = [...flags.problems]
  const clientId = parseSettingFlag(flags, 'client-id', guid, problems)
  problems.push(
    ...findResourceProblems(resource),
    ...findConflict(flags, ['output', 'curl-config']),
  )
  if (resource === undefined || problems.length > 0) throw new UsageError(problems)
  const selector: Selector =
    clientId === undefined ? { by: 'default' } : { by: 'clientId', value: clientId }
  return { resource, selector }
}

function findResourceProblems(resource: string | undefined): string[] {
  if (resource === undefined) return ['name a resource, such as https://vault.azure.net']
  if (isResource(resource)) return []
  return [
    `the resource "${resource}" is not a URI or GUID of at most 2048 ASCII characters. Fix: name one such as https://vault.azure.net`,
  ]
}

function formatTimes(lifetime: AccessToken['lifetime']) {
  const { obtainedAt, expiresAt } = toWallTimes(lifetime, systemClock)
  return {
    obtainedAt: new Date(obtainedAt).toISOString(),
    expiresAt: new Date(expiresAt).toISOString(),
  }
}
