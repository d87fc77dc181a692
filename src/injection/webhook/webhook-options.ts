/** Parses the flags of `wimds webhook`. */
import { address, duration, tenant } from '../../service/parsers.ts'
import { UsageError } from '../../lib/errors.ts'
import { findResourceProblems, overrideResources } from '../injector/resources.ts'
import { ROUTING_MODES, type RoutingMode } from '../../lib/sidecar-interface.ts'
import {
  type CommandDeclaration,
  findConflict,
  type Flags,
  parseFlags,
  parseSettingFlag,
} from '../../lib/args.ts'
import {
  findUnpublishedImages,
  INJECTION_FLAGS,
  type InjectionSettings,
  parseInjectionSettings,
  SHARED_SETTINGS,
} from '../injector/injection-settings.ts'

export const WEBHOOK = {
  name: 'webhook',
  group: 'Run in a cluster',
  summary: 'run the admission webhook, which adds the sidecar to pods',
  description:
    'Serves the mutating admission webhook, which injects the sidecar into pods with the annotation wimds.io/inject: "true", and into the pods of namespaces with a label of this name and value. Runs in a cluster; the chart charts/wimds installs it.',
  flags: {
    listen: { value: 'HOST:PORT', help: 'address for reviews, over TLS 1.3 (default [::]:8443)' },
    'admin-listen': {
      value: 'HOST:PORT',
      help: 'address for /healthz, /readyz and /metrics (default [::]:9440)',
    },
    drain: {
      value: 'DURATION',
      help: 'time to keep serving after the signal to stop (default 5s, at most 1h)',
    },
    'client-ca': {
      value: 'FILE',
      help: 'serve only callers with a client certificate of these CAs (PEM)',
    },
    namespace: {
      value: 'NAME',
      group: 'Its own certificate, which the replicas share in a Secret',
      help: 'namespace of the Service and the Secret (default wimds)',
    },
    name: {
      value: 'NAME',
      help: 'the Service that the API server calls, and the MutatingWebhookConfiguration to write the CA into; the Secret is NAME-tls (default wimds)',
    },
    'cert-dir': {
      value: 'DIR',
      group: 'Or a mounted certificate',
      help: 'serve tls.crt and tls.key of DIR, which are read again when they change',
    },
    ...INJECTION_FLAGS,
    'allowed-modes': {
      value: 'LIST',
      choices: ROUTING_MODES,
      isList: true,
      help: `modes that pods may choose, separated by commas (default: ${ROUTING_MODES.join(',')})`,
    },
    'allow-pass-through': {
      help: 'allow the annotation wimds.io/pass-through',
    },
    'tenant-id': {
      value: 'ID',
      help: 'tenant id for ServiceAccounts without one',
    },
    'cpu-request': { value: 'QUANTITY', help: 'CPU request of each injected container' },
    'cpu-limit': { value: 'QUANTITY', help: 'CPU limit of each injected container' },
    'memory-request': { value: 'QUANTITY', help: 'memory request of each injected container' },
    'memory-limit': { value: 'QUANTITY', help: 'memory limit of each injected container' },
  },
  exitCodes: { 0: 'shut down gracefully' },
} as const satisfies CommandDeclaration

type WebhookFlags = Flags<keyof typeof WEBHOOK.flags>

export type WebhookOptions = ReturnType<typeof parseWebhookOptions>

/** Returns the options. Throws a `UsageError` with every problem of the flags. */
export function parseWebhookOptions(args: readonly string[]) {
  const flags = parseFlags(args, WEBHOOK)
  const problems = [...flags.problems, ...findConflict(flags, ['name', 'cert-dir'])]
  const options = {
    listen: parseSettingFlag(flags, 'listen', address, problems) ?? { host: '::', port: 8443 },
    adminListen: parseSettingFlag(flags, 'admin-listen', address, problems) ?? {
      host: '::',
      port: 9440,
    },
    drainMs: parseSettingFlag(flags, 'drain', duration({ max: '1h' }), problems) ?? 5000,
    /** A file of CA certificates. If undefined, callers need no client certificate. */
    clientCaFile: flags.value('client-ca'),
    settings: parseSettings(flags, problems),
    /** The tenant of ServiceAccounts that name no tenant. */
    defaultTenantId: parseSettingFlag(flags, 'tenant-id', tenant, problems),
    /** The directory of a mounted certificate. If undefined, the replicas create one and share it. */
    certDirectory: flags.value('cert-dir'),
    /** The Service that the API server calls; the webhook's configuration has the same name. */
    service: {
      namespace: flags.value('namespace') ?? 'wimds',
      name: flags.value('name') ?? 'wimds',
    },
  }
  problems.push(...findUnpublishedImages(flags))
  if (problems.length > 0) throw new UsageError(problems)
  return options
}

function parseSettings(flags: WebhookFlags, problems: string[]): InjectionSettings {
  const shared = parseInjectionSettings(flags, problems)
  const resources = overrideResources(shared.resources, (name) =>
    parseSettingFlag(flags, name, SHARED_SETTINGS[name], problems),
  )
  problems.push(...findResourceProblems(resources))
  return {
    ...shared,
    allowedModes: parseAllowedModes(flags, shared.mode, problems),
    allowPassThrough: flags.has('allow-pass-through'),
    resources,
  }
}

function parseAllowedModes(
  flags: WebhookFlags,
  mode: RoutingMode,
  problems: string[],
): readonly RoutingMode[] {
  const names: readonly string[] = flags.value('allowed-modes')?.split(',') ?? ROUTING_MODES
  const modes = ROUTING_MODES.filter((each) => names.includes(each))
  if (!modes.includes(mode)) {
    problems.push(`--mode is ${mode}, which --allowed-modes does not contain`)
  }
  return modes
}
