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
import { type Change, createChange } from './change.ts'
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

/** A match with the ServiceAccount that it gets. */
export interface Assignment extends Match {
  readonly account: string
}

/**
 * Chooses the ServiceAccount of each match. Its own one stays if all its workloads have the same
 * identities; the account `default` would give them to every pod that names none.
 */
export function chooseAccounts(
  matches: readonly Match[],
  { serviceAccounts }: ClusterObjects,
): Assignment[] {
  const taken = new Set(serviceAccounts.map(({ namespace, name }) => `${namespace}/${name}`))
  const created = new Map<string, string>()
  return matches.map((match) => {
    const { namespace } = match.workload
    const own = findAccountName(match.workload)
    const others = matches.filter(
      ({ workload }) => workload.namespace === namespace && findAccountName(workload) === own,
    )
    const isShared = others.some((each) => formatIdentityKey(each) !== formatIdentityKey(match))
    if (own !== 'default' && !isShared) return { ...match, account: own }
    const key = `${namespace} ${formatIdentityKey(match)}`
    const account = created.get(key) ?? findFreeName(proposeName(match), namespace, taken)
    created.set(key, account)
    return { ...match, account }
  })
}

/** Returns the name of the identity, or the label of several. */
function proposeName({ workload, identities: [first, ...more] }: Match): string {
  const label = workload.template.metadata?.labels?.[BINDING_LABEL] ?? ''
  const name = more.length > 0 ? label.toLowerCase().replaceAll('_', '-') : (first?.name ?? '')
  return isDnsSubdomain(name) ? name : 'identities'
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
  matches: readonly Assignment[],
  { serviceAccounts }: ClusterObjects,
  options: PodIdentityOptions,
): CreatedAccounts {
  const all = new Map(serviceAccounts.map((each) => [formatObject('ServiceAccount', each), each]))
  const changes: Change[] = []
  const configMaps: IdentitiesConfigMap[] = []
  const byAccount = Map.groupBy(matches, ({ workload: { namespace }, account }) =>
    formatObject('ServiceAccount', { namespace, name: account }),
  )
  for (const [object, [match]] of byAccount) {
    const [identity, ...more] = match?.identities ?? []
    if (match === undefined || identity === undefined) continue
    const { workload, identities, account } = match
    const own = { namespace: workload.namespace, name: account }
    const known = all.get(object)
    const isNew = known === undefined && account !== findAccountName(workload)
    const annotations: Record<string, string> =
      more.length > 0
        ? {}
        : {
            [CLIENT_ID]: identity.known.clientId,
            [TENANT_ID]: identity.tenantId ?? options.tenantId ?? 'TENANT_ID',
          }
    all.set(object, { ...own, annotations: { ...known?.annotations, ...annotations } })
    if (isNew || more.length === 0) changes.push(describeAccount(object, own, isNew, annotations))
    if (more.length === 0) continue
    const entries = identities.map((each) => createEntry(each, options))
    const configMap = { ...own, name: formatConfigMapName(account), entries }
    configMaps.push(configMap)
    changes.push(describeConfigMap(configMap))
  }
  return { changes, serviceAccounts: [...all.values()], configMaps }
}

function describeAccount(
  object: string,
  { namespace, name }: Pick<ServiceAccountObject, 'namespace' | 'name'>,
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
    return createChange(object, { add: formatTexts('metadata.annotations', annotations), notes })
  }
  const metadata = { name, namespace, ...(Object.keys(annotations).length > 0 && { annotations }) }
  const manifest = { apiVersion: 'v1', kind: 'ServiceAccount', metadata }
  return createChange(object, { isNew, manifest, notes })
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

function describeConfigMap({ namespace, name, entries }: IdentitiesConfigMap): Change {
  return createChange(formatObject('ConfigMap', { namespace, name }), {
    isNew: true,
    manifest: {
      apiVersion: 'v1',
      kind: 'ConfigMap',
      metadata: { name, namespace },
      data: { 'identities.yaml': stringify({ identities: entries }, { lineWidth: 0 }) },
    },
    notes: ['requests that name an identity by object_id need its objectId in the file'],
  })
}
