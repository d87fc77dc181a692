/** `wimds inject`: adds the sidecar to manifests, without access to a cluster. */
import { guid, tenant } from '../../service/parsers.ts'
import { readRecord } from '../../injection/injector/injection-record.ts'
import {
  findUnknownVariables,
  findUnpublishedImages,
  INJECTION_FLAGS,
  parseInjectionSettings,
} from '../../injection/injector/injection-settings.ts'
import type { Pod } from '../../kubernetes/pod.ts'
import { CLIENT_ID, TENANT_ID } from '../../kubernetes/service-account.ts'
import { type CommandDeclaration, parseFlags, parseSettingFlag } from '../../lib/args.ts'
import type { CommandIo } from '../../lib/command.ts'
import { UsageError } from '../../lib/errors.ts'
import { MANIFEST_FLAGS, NAMESPACE, parseManifestArguments } from '../manifest-files.ts'
import { editFiles, OUTPUT, QUIET } from './edit-files.ts'
import type { ObjectReport } from './manifests/edit-object.ts'

export const INJECT = {
  name: 'inject',
  group: 'Prepare manifests',
  summary: 'add the sidecar to Kubernetes manifests',
  arguments: 'FILE...',
  description: `Adds the sidecar to every workload in the manifests, except workloads with the annotation wimds.io/inject: "false". Prints the result, and on standard error what was done to each object.

FILE is a file, a directory with all below it, or - for standard input. The command can be the post-renderer of Helm, and an exec function of kustomize: a ResourceList stays a ResourceList.`,
  flags: {
    ...MANIFEST_FLAGS,
    namespace: NAMESPACE,
    output: OUTPUT,
    'keep-rejected': {
      help: 'leave workloads that cannot be injected unchanged, and warn; without this flag nothing is printed and the exit code is 1',
    },
    strict: {
      help: 'exit with 1 if nothing is injected or a kind is unsupported; without this flag both are warnings',
    },
    quiet: QUIET,
    ...INJECTION_FLAGS,
    'client-id': {
      value: 'ID',
      help: 'client id (default: from the ServiceAccount in the same file, in the nearest folder at or above it, or elsewhere in the input)',
    },
    'tenant-id': {
      value: 'ID',
      help: 'tenant id (default: from the same ServiceAccount)',
    },
  },
  examples: [
    'wimds inject --image-registry example.azurecr.io deployment.yaml | kubectl apply -f -',
    'kubectl kustomize overlays/production | wimds inject --image-registry example.azurecr.io --strict - > production.yaml',
  ],
  exitCodes: {
    1: 'a manifest cannot be read, or a workload cannot be injected (0 with --keep-rejected); with --strict also: nothing is injected, or a kind is unsupported',
  },
} as const satisfies CommandDeclaration

/**
 * Prints the injected manifests, and on standard error what was done to each object. Returns 1 if a workload cannot be
 * injected, or with `--strict` if nothing is injected, else 0. Throws `UsageError`.
 */
export async function inject(args: readonly string[], io: CommandIo): Promise<number> {
  const flags = parseFlags(args, INJECT)
  const usage = [...flags.problems]
  const manifests = parseManifestArguments(flags, usage)
  const settings = {
    ...parseInjectionSettings(flags, usage),
    injectByDefault: true,
  }
  const clientId = parseSettingFlag(flags, 'client-id', guid, usage)
  const tenantId = parseSettingFlag(flags, 'tenant-id', tenant, usage)
  const unpublished = findUnpublishedImages(flags)
  if (usage.length > 0) throw new UsageError([...usage, ...unpublished])
  const injection = {
    settings,
    identity: {
      ...(clientId !== undefined && { [CLIENT_ID]: clientId }),
      ...(tenantId !== undefined && { [TENANT_ID]: tenantId }),
    },
    namespace: flags.value('namespace'),
    requiresMode: flags.has('mode'),
    keepsRejected: flags.has('keep-rejected'),
  }
  const editing = { io, command: 'inject', flags, manifests, injection } as const
  return await editFiles({ ...editing, usage: unpublished }, (edited) => ({
    notes: findWaitingPods(edited.pods),
    warnings: findUnknownVariables(settings.sidecarEnv),
    omissions: flags.has('strict') ? findOmissions(edited.objects) : [],
  }))
}

/** Returns the problems that only `--strict` reports: an unsupported kind, or an input in which no workload has the sidecar. */
function findOmissions(objects: readonly ObjectReport[]): string[] {
  if (objects.some(({ outcome }) => outcome === 'unsupported')) {
    return [
      '--strict: an object of an unsupported kind is not injected. Fix: correct its kind or apiVersion, or pass --path',
    ]
  }
  if (objects.some(({ outcome }) => outcome === 'injected' || outcome === 'unchanged')) return []
  return [
    '--strict: nothing is injected. Fix: pass a file with a workload that has apiVersion and kind and does not opt out',
  ]
}

/** Returns a note on the node agent if a manifest has a pod of mode node. */
function findWaitingPods(pods: readonly Pod[]): string[] {
  if (!pods.some((pod) => readRecord(pod)?.mode === 'node')) return []
  return [
    'note: the pods of mode node wait in Init until a node agent on their node serves them. Fix: install the node agent, for example by nodeAgent.enabled=true of the chart',
  ]
}
