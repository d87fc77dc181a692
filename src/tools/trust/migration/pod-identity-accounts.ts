/** The ServiceAccounts of workloads that leave aad-pod-identity, and the ConfigMaps of their identities files. */
import { stringify } from 'yaml'
import type { IdentityEntry } from '../../../sidecar/config/identities-file.ts'
import { CLIENT_ID, TENANT_ID } from '../../../cluster/injector/annotations.ts'
import { isDnsSubdomain } from '../../../lib/grammars.ts'
import {
  type ClusterObjects,
  findAccountName,
  formatObject,
  type IdentitiesConfigMap,
  type ServiceAccountObject,
  type WorkloadObject,
} from '../cluster-objects.ts'
import type { Change } from './change.ts'
import { formatTexts } from './edit-workload.ts'
import type { PodIdentity } from './pod-identity-objects.ts'

export interface PodIdentityOptions {
  /** Whether MIC and NMI ran with --forceNamespaced. Also true if their manifests say so. */
  readonly isNamespaced: boolean
  /** The tenant of managed identities. */
  readonly tenantId: string | undefined
}

/** The label by which AzureIdentityBindings select pods. */
export const BINDING_LABEL = 'aadpodidbinding'

/** A workload with the identities that its label selects, by client id. */
export interface Match {
  readonly workload: WorkloadObject
  readonly identities: readonly PodIdentity[]
}

/** Formats the set of identities of a match, to compare it. */
function formatIdentityKey({ identities }: Match): string {
  return identities.map(({ known }) => known.clientId).join()
}

/**
 * Chooses the ServiceAccount of each match. Its own one stays if all its workloads have the same
 * identities; the account `default` would give them to every pod that names none.
 */
export function chooseAccounts(
  matches: readonly Match[],
  { serviceAccounts }: ClusterObjects,
): ReadonlyMap<Match, string> {
  const taken = new Set(serviceAccounts.map(({ namespace, name }) => `${namespace}/${name}`))
  const created = new Map<string, string>()
  return new Map(
    matches.map((match) => {
      const { workload, identities } = match
      const own = findAccountName(workload)
      const others = matches.filter(
        (each) =>
          each.workload.namespace === workload.namespace && findAccountName(each.workload) === own,
      )
      const isShared = others.some((each) => formatIdentityKey(each) !== formatIdentityKey(match))
      if (own !== 'default' && !isShared) return [match, own]
      const key = `${workload.namespace} ${formatIdentityKey(match)}`
      const known = created.get(key)
      if (known !== undefined) return [match, known]
      const [first, ...more] = identities
      const label = workload.template.metadata?.labels?.[BINDING_LABEL] ?? ''
      const wanted =
        more.length === 0 ? (first?.name ?? '') : label.toLowerCase().replaceAll('_', '-')
      const name = findFreeName(
        isDnsSubdomain(wanted) ? wanted : 'identities',
        workload.namespace,
        taken,
      )
      created.set(key, name)
      return [match, name]
    }),
  )
}

function findFreeName(wanted: string, namespace: string, taken: Set<string>): string {
  let name = wanted
  for (let suffix = 2; taken.has(`${namespace}/${name}`); suffix += 1) name = `${wanted}-${suffix}`
  taken.add(`${namespace}/${name}`)
  return name
}

/** Returns the name of the ConfigMap with the identities file of an account. */
export const formatConfigMapName = (account: string) => `${account}-identities`

interface CreatedAccounts {
  readonly changes: readonly Change[]
  /** All of the cluster. */
  readonly serviceAccounts: readonly ServiceAccountObject[]
  /** New ones. */
  readonly configMaps: readonly IdentitiesConfigMap[]
}

/** Returns the changes of the accounts that the matches use, and all accounts and new ConfigMaps after them. */
export function createAccounts(
  matches: readonly Match[],
  accounts: ReadonlyMap<Match, string>,
  { serviceAccounts }: ClusterObjects,
  options: PodIdentityOptions,
): CreatedAccounts {
  const all = new Map(serviceAccounts.map((each) => [formatObject('ServiceAccount', each), each]))
  const changes = new Map<string, Change>()
  const configMaps = new Map<string, IdentitiesConfigMap>()
  for (const match of matches) {
    const { workload, identities } = match
    const own = { namespace: workload.namespace, name: accounts.get(match) ?? '' }
    const object = formatObject('ServiceAccount', own)
    if (changes.has(object)) continue
    const known = all.get(object)
    const [identity, ...more] = identities
    if (identity === undefined) continue
    const isNew = known === undefined && own.name !== findAccountName(workload)
    const annotations: Record<string, string> =
      more.length > 0
        ? {}
        : {
            [CLIENT_ID]: identity.known.clientId,
            [TENANT_ID]: identity.tenantId ?? options.tenantId ?? 'TENANT_ID',
          }
    all.set(object, { ...own, annotations: { ...known?.annotations, ...annotations } })
    if (isNew || more.length === 0)
      changes.set(object, describeAccount(object, own, isNew, annotations))
    if (more.length === 0) continue
    const name = formatConfigMapName(own.name)
    const label = formatObject('ConfigMap', { ...own, name })
    const entries = identities.map((each) => createEntry(each, options))
    configMaps.set(label, { namespace: own.namespace, name, entries })
    changes.set(label, describeConfigMap(label, own.namespace, name, entries))
  }
  return {
    changes: [...changes.values()],
    serviceAccounts: [...all.values()],
    configMaps: [...configMaps.values()],
  }
}

function describeAccount(
  object: string,
  { namespace, name }: { readonly namespace: string; readonly name: string },
  isNew: boolean,
  annotations: Readonly<Record<string, string>>,
): Change {
  const notes =
    annotations[TENANT_ID] === 'TENANT_ID'
      ? [
          'TENANT_ID is the tenant of the subscription (az account show --query tenantId), or pass --tenant-id',
        ]
      : []
  if (!isNew) {
    return {
      object,
      isNew,
      remove: [],
      add: formatTexts('metadata.annotations', annotations),
      notes,
    }
  }
  const metadata = { name, namespace, ...(Object.keys(annotations).length > 0 && { annotations }) }
  const manifest = { apiVersion: 'v1', kind: 'ServiceAccount', metadata }
  return { object, isNew, remove: [], add: [], manifest, notes }
}

function createEntry(
  { name, known, resourceId, tenantId }: PodIdentity,
  options: PodIdentityOptions,
): IdentityEntry {
  return {
    name,
    clientId: known.clientId,
    tenantId: tenantId ?? options.tenantId ?? 'TENANT_ID',
    ...(resourceId !== undefined && { resourceId }),
  }
}

function describeConfigMap(
  object: string,
  namespace: string,
  name: string,
  entries: readonly IdentityEntry[],
): Change {
  return {
    object,
    isNew: true,
    remove: [],
    add: [],
    manifest: {
      apiVersion: 'v1',
      kind: 'ConfigMap',
      metadata: { name, namespace },
      data: { 'identities.yaml': stringify({ identities: entries }, { lineWidth: 0 }) },
    },
    notes: ['requests that name an identity by object_id need its objectId in the file'],
  }
}
