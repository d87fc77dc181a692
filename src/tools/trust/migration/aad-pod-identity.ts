/** Migrates from aad-pod-identity: AzureIdentity, AzureIdentityBinding and the label aadpodidbinding. */
import { allContainers, findVariable, getLiteralValue } from '../../../cluster/injector/pod.ts'
import {
  type ClusterObjects,
  findAccountName,
  formatObject,
  type OtherObject,
  type WorkloadObject,
} from '../cluster-objects.ts'
import type { Report } from '../finding.ts'
import { type Change, createChange, type Migration } from './change.ts'
import { editWorkload } from './edit-workload.ts'
import {
  type Assignment,
  BINDING_LABEL,
  chooseAccounts,
  formatConfigMapName,
  createAccounts,
  type Match,
  type PodIdentityOptions,
} from './pod-identity-accounts.ts'
import {
  parseBinding,
  parseIdentity,
  type PodIdentity,
  type PodIdentityBinding,
} from './pod-identity-objects.ts'

/** Returns the changes of the workloads with the label, and the ServiceAccounts and ConfigMaps for them. */
export function migrateFromAadPodIdentity(
  objects: ClusterObjects,
  options: PodIdentityOptions,
  report: Report,
): Migration {
  const ofKind = (kind: string) => objects.podIdentities.filter((object) => object.kind === kind)
  const identities = ofKind('AzureIdentity').flatMap((object) => parseIdentity(object, report))
  const bindings = ofKind('AzureIdentityBinding').flatMap((object) => parseBinding(object, report))
  const isNamespaced = options.isNamespaced || objects.workloads.some(isForcedNamespaced)
  const matches = objects.workloads.flatMap((workload): Match[] => {
    const found = matchIdentities(workload, identities, bindings, isNamespaced, report)
    return found.length > 0 ? [{ workload, identities: found }] : []
  })
  const assigned = chooseAccounts(matches, objects)
  const migrated = assigned.map(migrateWorkload)
  const edited = new Map(migrated.map(({ before, workload }) => [before, workload]))
  const created = createAccounts(assigned, objects, options)
  return {
    changes: [
      ...created.changes,
      ...migrated.map(({ change }) => change),
      ...objects.podIdentities.flatMap((object) =>
        describeRemoval(object, identities, bindings, matches),
      ),
    ],
    objects: {
      ...objects,
      workloads: objects.workloads.map((workload) => edited.get(workload) ?? workload),
      serviceAccounts: created.serviceAccounts,
      configMaps: [...objects.configMaps, ...created.configMaps],
    },
    known: identities.map(({ known }) => known),
  }
}

/** Returns true for MIC and NMI with --forceNamespaced or FORCENAMESPACED=true. */
function isForcedNamespaced({ template }: WorkloadObject): boolean {
  return allContainers(template).some((container) => {
    const words = [container['command'], container['args']].flat()
    return (
      words.some((word) => word === '--forceNamespaced' || word === '--forceNamespaced=true') ||
      getLiteralValue(findVariable(container, 'FORCENAMESPACED')) === 'true'
    )
  })
}

/** Selects as MIC does: a binding names an identity of its namespace, and pods of all namespaces by their label. */
function matchIdentities(
  workload: WorkloadObject,
  identities: readonly PodIdentity[],
  bindings: readonly PodIdentityBinding[],
  isNamespaced: boolean,
  report: Report,
): PodIdentity[] {
  const label = workload.template.metadata?.labels?.[BINDING_LABEL]
  if (label === undefined || label === '') return []
  const selected = bindings
    .filter(({ selector }) => selector === label)
    .flatMap((binding) =>
      identities.filter(
        (identity) =>
          identity.name === binding.identity &&
          identity.namespace === binding.namespace &&
          (!(isNamespaced || identity.isNamespaced) || identity.namespace === workload.namespace),
      ),
    )
  if (selected.length === 0) {
    const message = `the label ${BINDING_LABEL}: ${JSON.stringify(label)} selects no AzureIdentity in the input. Fix: add its AzureIdentityBinding and AzureIdentity to the input, or remove the label`
    report.error(formatObject(workload.kind, workload), message)
  }
  const byClientId = new Map(selected.map((identity) => [identity.known.clientId, identity]))
  return [...byClientId.values()].toSorted((one, other) =>
    one.known.clientId < other.known.clientId ? -1 : 1,
  )
}

function migrateWorkload({ workload, identities, account }: Assignment) {
  const own = findAccountName(workload)
  const isMoved = account !== own
  const edits = {
    removeLabel: BINDING_LABEL,
    addAnnotations: {
      'wimds.io/inject': 'true',
      ...(identities.length > 1 && { 'wimds.io/config-map': formatConfigMapName(account) }),
    },
    ...(isMoved && { serviceAccountName: account }),
  }
  const notes = [
    ...(isMoved && own !== 'default'
      ? [`RoleBindings of the ServiceAccount ${own} have to name ${account}, too`]
      : []),
    ...(identities.length > 1
      ? [
          'aad-pod-identity answered a request that names no identity with one of them; the sidecar rejects it until one entry of the identities file has default: true',
        ]
      : []),
  ]
  return { before: workload, ...editWorkload(workload, edits, notes) }
}

/** Describes what becomes of the objects of aad-pod-identity itself. */
function describeRemoval(
  object: OtherObject,
  identities: readonly PodIdentity[],
  bindings: readonly PodIdentityBinding[],
  matches: readonly Match[],
): Change[] {
  if (object.kind === 'AzureAssignedIdentity') return []
  const isSame = (each: { readonly namespace: string; readonly name: string }) =>
    each.namespace === object.namespace && each.name === object.name
  const identity = object.kind === 'AzureIdentity' ? identities.find(isSame) : undefined
  const binding = object.kind === 'AzureIdentityBinding' ? bindings.find(isSame) : undefined
  const isUnused =
    (identity !== undefined && !matches.some((match) => match.identities.includes(identity))) ||
    (binding !== undefined &&
      !matches.some(
        ({ workload }) => workload.template.metadata?.labels?.[BINDING_LABEL] === binding.selector,
      ))
  return [
    createChange(formatObject(object.kind, object), {
      remove: [`the object, once no pod has the label ${BINDING_LABEL} any more`],
      notes: [
        ...(isUnused ? ['no workload in the input uses it'] : []),
        ...(identity?.notes ?? []),
        ...(object.kind === 'AzurePodIdentityException'
          ? ['its pods need no exception: only pods that ask for it get a sidecar']
          : []),
      ],
    }),
  ]
}
