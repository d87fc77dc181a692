/** Parses the flags of `wimds inject`. */
import {
  INJECTION_FLAGS,
  parseInjectionSettings,
} from '../../injection/injector/injection-settings.ts'
import { type CommandDeclaration, type Flags, parseSettingFlag } from '../../lib/args.ts'
import { UsageError } from '../../lib/errors.ts'
import { ROUTING_MODES } from '../../lib/sidecar-interface.ts'
import { DOCS_URL } from '../../lib/version.ts'
import { guid, tenant } from '../../broker/config/parsers.ts'
import type { ManifestOptions } from './manifests/inject-manifests.ts'
import type { TemplatePath } from './manifests/workloads.ts'

/** The flag `-f` of kubectl. */
export const FILENAME = {
  short: 'f',
  value: 'FILE',
  isRepeatable: true,
  help: 'the same as an argument FILE',
} as const

export const INJECT = {
  name: 'inject',
  group: 'Prepare manifests',
  summary: 'add the sidecar to Kubernetes manifests',
  arguments: { usage: 'FILE...' },
  description: `Adds the sidecar to every workload in the manifests that does not opt out with the annotation wimds.io/inject: "false", and prints the result; on standard error it says what was done to each object.

FILE is a file, a directory, a pattern such as 'apps/**/*.yaml', or - for standard input. It can be the post-renderer of Helm and an exec function of kustomize: a ResourceList stays one.`,
  flags: {
    mode: {
      value: 'MODE',
      choices: ROUTING_MODES,
      help: `env, loopback (the default), nft or node; see ${DOCS_URL}/kubernetes.html`,
    },
    filename: FILENAME,
    namespace: { short: 'n', value: 'NAME', help: 'namespace of objects that name none' },
    path: {
      value: 'KIND=PATH',
      isRepeatable: true,
      help: 'path of the pod template in another kind, such as RayCluster.ray.io=spec.workerGroupSpecs.*.template; Rollouts of Argo are known',
    },
    output: {
      short: 'o',
      value: 'FORMAT',
      choices: ['yaml', 'diff', 'json'],
      help: 'yaml (the default): the manifests; diff: what would change, as a unified diff; json: what was done to each object, with a schemaVersion',
    },
    'keep-rejected': {
      help: 'print what cannot be injected as it is, with a warning; without the flag nothing is printed and the exit code is 1',
    },
    strict: {
      help: 'exit with 1 if nothing is injected or a kind is unsupported; without the flag that is a warning',
    },
    quiet: {
      short: 'q',
      help: 'print problems and warnings, and not what was done to each object',
    },
    ...INJECTION_FLAGS,
    'client-id': {
      value: 'ID',
      help: 'client id (default: from the ServiceAccount in the same input)',
    },
    'tenant-id': {
      value: 'ID',
      help: 'tenant id (default: from the ServiceAccount in the same input)',
    },
  },
  examples: [
    'wimds inject --mode loopback deployment.yaml | kubectl apply -f -',
    'kubectl kustomize overlays/production | wimds inject - > production.yaml',
  ],
  exitCodes: {
    1: 'a manifest cannot be read, or a workload cannot be injected (0 with --keep-rejected); with --strict also: nothing is injected, or a kind is unsupported',
  },
} as const satisfies CommandDeclaration

type InjectFlags = Flags<keyof typeof INJECT.flags>

/** Returns the files that are named, by flags and arguments. */
export function listFiles({
  positionals,
  values,
}: Pick<Flags<'filename'>, 'positionals' | 'values'>): readonly string[] {
  return [...values('filename'), ...positionals]
}

/** Returns the options. Throws a `UsageError` with every problem of the flags. */
export function parseInjectOptions(flags: InjectFlags): ManifestOptions {
  const problems = [...flags.problems]
  if (listFiles(flags).length === 0) problems.push('name a manifest, or - for standard input')
  const settings = {
    ...parseInjectionSettings(flags, problems),
    clientId: parseSettingFlag(flags, 'client-id', guid, problems),
    tenantId: parseSettingFlag(flags, 'tenant-id', tenant, problems),
  }
  const templatePaths = parseTemplatePaths(flags, problems)
  if (problems.length > 0) throw new UsageError(problems)
  return {
    namespace: flags.value('namespace'),
    templatePaths,
    requiresMode: flags.has('mode'),
    keepsRejected: flags.has('keep-rejected'),
    settings: { ...settings, injectByDefault: true },
  }
}

/** Parses each `Rollout=spec.template`, or with the API group: `Rollout.argoproj.io=spec.template`. */
export function parseTemplatePaths(
  flags: Pick<Flags<'path'>, 'values'>,
  problems: string[],
): TemplatePath[] {
  return flags.values('path').flatMap((text) => {
    const [, kind, group, path] = TEMPLATE_PATH.exec(text) ?? []
    if (kind !== undefined && path !== undefined) return [{ kind, group, keys: path.split('.') }]
    problems.push(
      `--path must be KIND=PATH or KIND.GROUP=PATH, such as Rollout=spec.template, not ${JSON.stringify(text)}`,
    )
    return []
  })
}

const TEMPLATE_PATH = /^([A-Z]\w*)(?:\.([a-z0-9.-]+))?=((?:[\w-]+|\*)(?:\.(?:[\w-]+|\*))*)$/
