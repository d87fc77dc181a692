/** `wimds doctor`: checks everything between the configuration and a token, for this machine, a pod or a cluster. */
import {
  type CommandDeclaration,
  type Flags,
  isJsonOutput,
  OUTPUT_FLAGS,
  parseFlags,
} from '../../lib/args.ts'
import { type CommandIo, EXIT_NOT_CHECKED } from '../../lib/command.ts'
import { UsageError } from '../../lib/errors.ts'
import { ROUTING_MODES } from '../../lib/sidecar-interface.ts'
import { docsPage, VERSION } from '../../lib/version.ts'
import { formatDocument } from '../json-document.ts'
import { loadProcessConfig } from '../../broker/config/config.ts'
import { checkHere } from './local-checks.ts'
import type { CheckStatus, Sections } from './doctor-report.ts'
import { formatReport } from './format-report.ts'
import { createKubectl } from './kubectl.ts'
import { parsePodTarget, type PodTarget } from './pod/pod-target.ts'

export const DOCTOR = {
  name: 'doctor',
  group: 'Find problems',
  summary: 'find out why there is no token, and how to fix it',
  arguments: '[POD]',
  description: `Run it in the container of a sidecar, or from your machine for a pod, with --pre before an installation, or with --cluster for an installation. POD is the name of a pod or of its workload, also as NAMESPACE/NAME, or as KIND/NAME such as deploy/orders.

It checks the settings, the sidecar on this machine, the route to the sidecar, the requests that the sidecar answered with an error, the claims of the projected token, and the clock. It requests a token for each identity: for its prefetch resources, or else for the first of its allowed resources, or else for Azure Resource Manager. It explains each failure, with a fix, and prints the commands that create a missing federated credential. It prints no token.

It reports as right only what it has checked. ${docsPage('doctor')} lists the checks.`,
  flags: {
    ...OUTPUT_FLAGS,
    'no-sidecar': { help: 'do not check the sidecar and the route to it' },
    pre: {
      help: 'check, before an installation, the API server, the issuer, and whether a namespace admits injected pods',
      group: 'From another machine, with its kubectl',
    },
    cluster: {
      help: 'check the installation of the chart, and whether each pod that asks for a sidecar has one',
    },
    namespace: {
      short: 'n',
      value: 'NAME',
      help: 'the namespace of the pod, or with --pre of injected pods (default: the current one of the kubeconfig)',
    },
    mode: {
      value: 'MODE',
      choices: ROUTING_MODES,
      help: `with --pre: the routing mode of the pod, as in wimds inject (default loopback)`,
    },
    'image-registry': {
      value: 'REGISTRY',
      help: 'with --pre: the registry of the images, as in wimds inject',
    },
    uid: {
      value: 'UID|none',
      help: "with --pre: the sidecar's uid, as in wimds inject; none on OpenShift",
    },
    context: { value: 'NAME', help: 'the context of the kubeconfig' },
  },
  examples: [
    'kubectl exec POD -c wimds -- wimds doctor',
    'wimds doctor deploy/orders -n shop',
    'wimds doctor --pre -n shop --mode loopback',
    'wimds doctor --cluster',
  ],
  exitCodes: {
    0: 'every check passed, or is not needed',
    1: 'a check failed',
    2: 'no check failed, but one could not be made',
  },
} as const satisfies CommandDeclaration

type FlagName = keyof typeof DOCTOR.flags

/**
 * Prints the report. Loads the checks from outside a pod only when they are asked for: the image of the sidecar does not
 * have them. Returns 0, or 1 if a check failed, or `EXIT_NOT_CHECKED` if none failed and one could not be
 * made. Throws `UsageError`, and `ConfigError` for settings that `--pre` cannot use.
 */
export async function doctor(args: readonly string[], io: CommandIo): Promise<number> {
  const flags = parseFlags<string>(args, DOCTOR)
  const problems = [...flags.problems]
  const target = parseTarget(flags, problems)
  problems.push(...findConflicts(flags))
  if (problems.length > 0) throw new UsageError(problems)
  const [title, sections] = await runChecks(flags, target, io)
  const has = (wanted: CheckStatus) => sections.checks.some(({ status }) => status === wanted)
  const ok = !has('failed') && !has('not_checked')
  io.stdout.write(
    isJsonOutput(flags) ? formatDocument({ ok, ...sections }) : formatReport(sections, title),
  )
  if (ok) return 0
  return has('failed') ? 1 : EXIT_NOT_CHECKED
}

/** The flags that only some checks use, each with these checks. */
const SCOPES: readonly (readonly [FlagName, ...string[]])[] = [
  ['no-sidecar', 'checks on this machine'],
  ['mode', '--pre'],
  ['image-registry', '--pre'],
  ['uid', '--pre'],
  ['namespace', '--pre', 'a pod'],
  ['context', '--pre', '--cluster', 'a pod'],
]

/** Returns a problem for each flag that the chosen checks do not use. */
function findConflicts(flags: Flags<FlagName>): string[] {
  const chosen = (['pre', 'cluster'] as const).filter(flags.has).map((name) => `--${name}`)
  const [pod] = flags.positionals
  const asked = [...chosen, ...(pod === undefined ? [] : ['a pod'])]
  const [scope = 'checks on this machine', ...others] = asked
  return [
    ...(others.length > 0
      ? [`${asked.join(' or ')}${pod === undefined ? '' : ` (${pod})`}: give one`]
      : []),
    ...SCOPES.filter(([name, ...scopes]) => flags.has(name) && !scopes.includes(scope)).map(
      ([name, ...scopes]) => `--${name} is only for ${scopes.join(' or ')}`,
    ),
  ]
}

/** Returns the pod that the user names; undefined: none. Adds a problem for a malformed name. */
function parseTarget(flags: Flags<FlagName>, problems: string[]): PodTarget | undefined {
  const [text] = flags.positionals
  if (text === undefined) return undefined
  const given = flags.value('namespace')
  const target = parsePodTarget(text)
  if (target === undefined) {
    problems.push(
      `${JSON.stringify(text)} must be POD, NAMESPACE/POD or KIND/NAME, such as shop/orders or deploy/orders`,
    )
  } else if (target.namespace !== undefined && given !== undefined && target.namespace !== given) {
    problems.push(`${text} and --namespace ${given} name different namespaces: give one`)
  }
  return target && { ...target, namespace: target.namespace ?? given }
}

/** Runs the checks of this machine, of a pod, or of a cluster. Returns the report and its title. */
async function runChecks(
  flags: Flags<string>,
  target: PodTarget | undefined,
  io: CommandIo,
): Promise<readonly [title: string, Sections]> {
  if (target === undefined && !flags.has('pre') && !flags.has('cluster')) {
    const skipSidecar = flags.has('no-sidecar')
    return [`wimds ${VERSION}`, await checkHere(io.env, skipSidecar)]
  }
  const namespace = target?.namespace ?? flags.value('namespace')
  const context = flags.value('context')
  const kubectl = createKubectl({ io, context, namespace })
  if (target !== undefined) {
    const { checkPod } = await import('./pod/pod-check.ts')
    const { createPortForward } = await import('./pod/port-forward.ts')
    const readForwarded = createPortForward(io, context)
    const sections = await checkPod({ kubectl, readForwarded, target })
    const place = namespace === undefined ? '' : `${namespace}/`
    return [`Pod ${place}${sections.pod}`, sections]
  }
  if (flags.has('cluster')) {
    const { checkCluster } = await import('./cluster/cluster-check.ts')
    return ['The installation of wimds', await checkCluster(kubectl)]
  }
  const { checkBeforeInstallation } = await import('./pre/pre-check.ts')
  const { exchange: network } = await loadProcessConfig(io.env)
  const sections = await checkBeforeInstallation({ kubectl, network, namespace, flags })
  return [`Before an installation of wimds ${VERSION}`, sections]
}
