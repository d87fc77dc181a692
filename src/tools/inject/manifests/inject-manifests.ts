/** Injects the workloads of manifests, and removes what injection added. */
import { inject } from '../../../injection/injector/inject.ts'
import type { InjectionSettings } from '../../../injection/injector/injection-settings.ts'
import { uninject } from '../../../injection/injector/injection-record.ts'
import { type EditedManifests, editManifests, type ManifestFile } from './edit-manifests.ts'
import {
  getApiGroup,
  type KubernetesObject,
  type LocatedObject,
  type ServiceAccount,
  type TemplatePath,
  type Workload,
} from './workloads.ts'

export interface ManifestOptions {
  readonly settings: InjectionSettings
  /** The namespace of objects that name none. */
  readonly namespace: string | undefined
  /** Pod templates of kinds that are not known. */
  readonly templatePaths?: readonly TemplatePath[]
  /** True if the mode of the settings must not differ from the mode of an earlier injection. */
  readonly requiresMode?: boolean
  /** True if what cannot be injected is left as it is, with a warning. */
  readonly keepsRejected?: boolean
}

/** Injects every workload of the files that does not opt out. Pure; reports all problems together. */
export function injectManifests(
  files: readonly ManifestFile[],
  { settings, namespace, templatePaths = [], requiresMode = false, keepsRejected }: ManifestOptions,
): EditedManifests {
  return editManifests(files, {
    skipped: 'opted out',
    templatePaths,
    isOptedOut: ({ metadata }) => metadata.annotations?.['wimds.io/inject'] === 'false',
    keepsRejected,
    findRefusal,
    findWarnings: findMisplacedAnnotations,
    editPod: (workload, accounts) => {
      const serviceAccount = findAccount(workload, accounts, namespace)?.annotations ?? {}
      return inject({ pod: workload.template, serviceAccount, settings, requiresMode })
    },
  })
}

/** Removes what injection added to the workloads of the files. Pure; reports all problems together. */
export function uninjectManifests(
  files: readonly ManifestFile[],
  templatePaths: readonly TemplatePath[] = [],
): EditedManifests {
  return editManifests(files, {
    skipped: 'not injected',
    templatePaths,
    editPod: ({ template }) => uninject(template),
  })
}

/** Returns why Knative would reject an injected object: its API has neither `restartPolicy` nor `lifecycle` in a container. */
function findRefusal(object: KubernetesObject): string | undefined {
  return getApiGroup(object) === 'serving.knative.dev'
    ? 'Knative allows no sidecar that starts first. Fix: set the annotation wimds.io/inject: "true" of spec.template, by which the webhook injects the pods'
    : undefined
}

/** Returns a warning for each annotation of wimds on a workload itself, where the webhook does not see it. */
function findMisplacedAnnotations(
  { metadata }: LocatedObject,
  templatePaths: readonly string[],
): string[] {
  const [templatePath] = templatePaths
  // The pod template of a Pod is the object itself.
  if (templatePath === undefined || templatePath === '') return []
  return Object.keys(metadata.annotations ?? {})
    .filter((name) => name.startsWith('wimds.io/'))
    .map((name) => {
      const effect =
        name === 'wimds.io/inject'
          ? 'is honored here if it is "false", but the webhook ignores it there'
          : 'has no effect'
      return `the annotation ${name} of the workload itself ${effect}. Fix: move it to ${templatePath}.metadata.annotations`
    })
}

function findAccount(
  workload: Workload,
  accounts: readonly ServiceAccount[],
  namespace: string | undefined,
): ServiceAccount | undefined {
  return accounts.find(
    (account) =>
      account.name === workload.serviceAccountName &&
      (account.namespace ?? namespace) === (workload.namespace ?? namespace),
  )
}
