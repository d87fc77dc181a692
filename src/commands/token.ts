/** `wimds token RESOURCE`: prints an access token, for shell scripts. */
import { loadConfig } from '../config/config.ts'
import type { TokenAnswer } from '../dialects/dialect.ts'
import { imds } from '../dialects/imds.ts'
import { parseParameters, parseResource, parseSelector } from '../dialects/parameters.ts'
import { BrokerError, toBrokerError, UsageError } from '../errors.ts'
import { createIdentityResolver, requireAllowedResource } from '../identities.ts'
import { systemClock } from '../tokens/clock.ts'
import { computeExpiry } from '../tokens/refresh-policy.ts'
import { toScope } from '../tokens/token.ts'
import { printError } from '../lib/print-error.ts'
import { TOKEN } from './declarations/token.ts'
import { createDirectExchange } from './direct-exchange.ts'
import { type Flags, parseFlags } from '../lib/args.ts'
import type { CommandIo } from './io.ts'

type TokenFlags = Flags<keyof typeof TOKEN.flags>

/** Prints a token. Returns 0, or 1 if the exchange failed. Throws `UsageError` and `ConfigError`. */
export async function token(args: readonly string[], io: CommandIo): Promise<number> {
  const flags = parseFlags(args, TOKEN.flags)
  const query = parseQuery(flags)
  const config = await loadConfig(io.env)
  await using direct = createDirectExchange(config)
  try {
    const identity = createIdentityResolver(config.directory)(query.selector)
    requireAllowedResource(identity, query.resource)
    const obtained = await direct.exchange({ identity, scope: toScope(query.resource) })
    const answer = { query, identity, token: obtained, ...computeExpiry(obtained, systemClock) }
    io.stdout.write(`${formatAnswer(answer, flags)}\n`)
    return 0
  } catch (error) {
    const { code, message } = toBrokerError(error)
    printError(io, 'wimds token', `${code}: ${message}`)
    return 1
  }
}

function parseQuery(flags: TokenFlags) {
  const [resource, ...others] = flags.positionals
  const selectors = (['client-id', 'object-id', 'resource-id'] as const).filter(flags.has)
  const problems = [
    ...flags.problems,
    ...(resource === undefined ? ['name a resource, such as https://vault.azure.net'] : []),
    ...others.map((word) => `unexpected argument ${word}`),
    ...(flags.has('json') && flags.has('curl-config') ? ['--json or --curl-config, not both'] : []),
  ]
  if (problems.length > 0) throw new UsageError(problems)
  try {
    const parameters = parseParameters(
      [
        `resource=${encodeURIComponent(resource ?? '')}`,
        ...selectors.map(
          (name) => `${PARAMETERS[name]}=${encodeURIComponent(flags.value(name) ?? '')}`,
        ),
      ].join('&'),
    )
    return { resource: parseResource(parameters), selector: parseSelector(parameters) }
  } catch (error) {
    if (error instanceof BrokerError) throw new UsageError([error.message], { cause: error })
    throw error
  }
}

/** Ids are validated as query parameters. */
const PARAMETERS = {
  'client-id': 'client_id',
  'object-id': 'object_id',
  'resource-id': 'msi_res_id',
} as const

function formatAnswer(answer: TokenAnswer, flags: TokenFlags): string {
  if (flags.has('json')) return imds.render(answer).body
  const text = answer.token.secret.reveal()
  return flags.has('curl-config') ? `header = "Authorization: Bearer ${text}"` : text
}
