/** The flags of `wimds webhook` → what it serves, and how it gets its certificate. */
import { addresses, type Address, duration } from '../../config/parsers.ts'
import { UsageError } from '../../errors.ts'
import {
  parseQuantity,
  findResourceProblems,
  type ResourceSettings,
} from '../../kubernetes/injector/resources.ts'
import { INJECTION_DEFAULTS, type InjectionSettings } from '../../kubernetes/injector/settings.ts'
import { type Flags, mistakesOfFlagsAlone, parseFlags } from '../../lib/args.ts'
import { parseInjectionSettings } from '../inject/options.ts'

export const WEBHOOK_USAGE = `usage: wimds webhook [FLAGS]

The mutating admission webhook: adds the sidecar to pods that ask for it with the annotation
wimds.io/inject: "true". Runs in a cluster; charts/wimds sets it up.

  --listen HOST:PORT        reviews, over TLS 1.3 (default [::]:8443)
  --admin-listen HOST:PORT  /healthz, /readyz and /metrics (default [::]:9440)
  --drain DURATION          goes on serving this long once told to end (default 5s, 1h at most)

Its certificate, made by itself and shared by all replicas:
  --namespace NAME          of the Service and the Secret (default wimds)
  --service NAME            by which the API server calls (default wimds-webhook)
  --secret NAME             an existing Secret for the certificate (default wimds-webhook-tls)
  --configuration NAME      the MutatingWebhookConfiguration to write the CA into (default wimds)
  --certificate-lifetime DURATION
                            renewed when a third is left (default 2160h)
or made by others:
  --cert-dir DIR            serve tls.crt and tls.key of DIR, and read them again as they change

What it injects:
  --mode MODE               env, loopback (the default) or nft, where the pod does not say
  --image IMAGE             the sidecar's image
  --redirect-image IMAGE    the init container's image
  --env NAME=VALUE          a variable for the sidecar; may be given more than once
  --tenant-id ID            where the pod's ServiceAccount names none
  --uid UID|none            the sidecar's uid (default 1501); none leaves it to the cluster
  --audience AUDIENCE       of the projected token (default api://AzureADTokenExchange)
  --cpu-request, --cpu-limit, --memory-request, --memory-limit QUANTITY
  --kubernetes-version V    (default: the API server's own)
`

const WEBHOOK_FLAGS = {
  listen: 'value',
  'admin-listen': 'value',
  drain: 'value',
  namespace: 'value',
  service: 'value',
  secret: 'value',
  configuration: 'value',
  'certificate-lifetime': 'value',
  'cert-dir': 'value',
  mode: 'value',
  image: 'value',
  'redirect-image': 'value',
  env: 'value',
  'tenant-id': 'value',
  uid: 'value',
  audience: 'value',
  'cpu-request': 'value',
  'cpu-limit': 'value',
  'memory-request': 'value',
  'memory-limit': 'value',
  'kubernetes-version': 'value',
  help: 'switch',
} as const

type WebhookFlags = Flags<keyof typeof WEBHOOK_FLAGS>

export interface WebhookOptions {
  readonly listen: Address
  readonly adminListen: Address
  readonly drainMs: number
  readonly settings: InjectionSettings
  readonly defaultTenantId: string | undefined
  /** True if the API server's version decides whether there are native sidecars. */
  readonly asksVersion: boolean
  readonly certificate:
    | { readonly kind: 'mounted'; readonly directory: string }
    | {
        readonly kind: 'own'
        readonly namespace: string
        readonly service: string
        readonly secret: string
        readonly configuration: string
        readonly lifetimeMs: number
      }
}

/** The options, or `help`; throws every mistake in the flags. */
export function webhookOptions(args: readonly string[]): WebhookOptions | 'help' {
  const flags = parseFlags(args, WEBHOOK_FLAGS)
  if (flags.has('help')) return 'help'
  const mistakes = mistakesOfFlagsAlone(flags)
  const options: WebhookOptions = {
    listen: addressOf(flags, 'listen', { host: '::', port: 8443 }, mistakes),
    adminListen: addressOf(flags, 'admin-listen', { host: '::', port: 9440 }, mistakes),
    drainMs: durationOf(flags, 'drain', 5000, mistakes),
    settings: settingsOf(flags, mistakes),
    defaultTenantId: flags.value('tenant-id'),
    asksVersion: flags.value('kubernetes-version') === undefined,
    certificate: certificateOf(flags, mistakes),
  }
  if (mistakes.length > 0) throw new UsageError(mistakes)
  return options
}

const DEFAULT_LIFETIME_MS = 90 * 86_400_000
const OWN_ONLY = ['secret', 'configuration', 'certificate-lifetime'] as const

function certificateOf(flags: WebhookFlags, mistakes: string[]): WebhookOptions['certificate'] {
  const directory = flags.value('cert-dir')
  if (directory !== undefined) {
    const superfluous = OWN_ONLY.filter((name) => flags.has(name))
    mistakes.push(...superfluous.map((name) => `--${name} has no effect with --cert-dir`))
    return { kind: 'mounted', directory }
  }
  return {
    kind: 'own',
    namespace: flags.value('namespace') ?? 'wimds',
    service: flags.value('service') ?? 'wimds-webhook',
    secret: flags.value('secret') ?? 'wimds-webhook-tls',
    configuration: flags.value('configuration') ?? 'wimds',
    lifetimeMs: durationOf(flags, 'certificate-lifetime', DEFAULT_LIFETIME_MS, mistakes),
  }
}

/** The tenant is left to each ServiceAccount here, and the client id always is. */
function settingsOf(flags: WebhookFlags, mistakes: string[]): InjectionSettings {
  const shared = parseInjectionSettings(
    {
      value: (name) => (name === 'client-id' ? undefined : flags.value(name)),
      values: (name) => (name === 'client-id' ? [] : flags.values(name)),
    },
    mistakes,
  )
  const resources = resourcesOf(flags, mistakes)
  const audience = flags.value('audience') ?? shared.audience
  return { ...shared, tenantId: undefined, resources, audience }
}

function resourcesOf(flags: WebhookFlags, mistakes: string[]): ResourceSettings {
  const amount = (name: 'cpu-request' | 'cpu-limit' | 'memory-request' | 'memory-limit') => {
    const text = flags.value(name)
    if (text === undefined || parseQuantity(text) !== undefined) return text
    mistakes.push(`--${name} must be a quantity`)
    return undefined
  }
  const { resources: usual } = INJECTION_DEFAULTS
  const resources = {
    ...usual,
    cpuRequest: amount('cpu-request') ?? usual.cpuRequest,
    cpuLimit: amount('cpu-limit'),
    memoryRequest: amount('memory-request') ?? usual.memoryRequest,
    memoryLimit: amount('memory-limit') ?? usual.memoryLimit,
  }
  mistakes.push(...findResourceProblems(resources))
  return resources
}

function addressOf(
  flags: WebhookFlags,
  name: 'listen' | 'admin-listen',
  fallback: Address,
  mistakes: string[],
): Address {
  const text = flags.value(name)
  if (text === undefined) return fallback
  const parsed = addresses.safeParse(text)
  const [address, ...more] = parsed.success ? parsed.data : []
  if (address !== undefined && more.length === 0) return address
  mistakes.push(`--${name} must be host:port or [IPv6]:port`)
  return fallback
}

/** A drain is a timer, which holds less than 25 days; a certificate too short would be renewed all the time. */
const DURATIONS = {
  drain: duration({ maxMs: 3_600_000 }),
  'certificate-lifetime': duration({ minMs: 60_000, maxMs: 10 * 365 * 86_400_000 }),
}

function durationOf(
  flags: WebhookFlags,
  name: keyof typeof DURATIONS,
  fallbackMs: number,
  mistakes: string[],
): number {
  const text = flags.value(name)
  if (text === undefined) return fallbackMs
  const parsed = DURATIONS[name].safeParse(text)
  if (parsed.success) return parsed.data
  mistakes.push(`--${name} ${parsed.error.issues[0]?.message ?? 'is wrong'}`)
  return fallbackMs
}
