/** Injects the workloads of manifests. */
import { inject } from '../injector/inject.ts'
import type { InjectionSettings } from '../injector/settings.ts'
import { type EditedManifests, editManifests, type ManifestFile } from './edit-manifests.ts'
import {
  readAnnotation,
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
}

/** Injects every workload of the files that does not opt out. Pure; reports all problems together. */
export function injectManifests(
  files: readonly ManifestFile[],
  { settings, namespace, templatePaths = [] }: ManifestOptions,
): EditedManifests {
  return editManifests(files, {
    outcome: 'injected',
    skipped: 'opted out',
    templatePaths,
    isOptedOut: (object) => readAnnotation(object, 'wimds.io/inject') === 'false',
    editPod: (workload, accounts) => {
      const serviceAccount = findAccount(workload, accounts, namespace)?.annotations ?? {}
      const injection = inject({ pod: workload.template, serviceAccount, settings })
      return injection.kind === 'injected' ? { ...injection, kind: 'edited' } : injection
    },
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
