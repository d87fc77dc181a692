/** Migrates from aad-pod-identity: AzureIdentity, AzureIdentityBinding and the label aadpodidbinding. */
import { stringify } from 'yaml'
import * as z from 'zod/mini'
import type { IdentityEntry } from '../../config/identities-file.ts'
import { allContainers, findVariable, getLiteralValue } from '../../kubernetes/injector/pod.ts'
import { isGuid } from '../../lib/guid.ts'
import {
  type ClusterObjects,
  findAccountName,
  formatObject,
  type IdentitiesConfigMap,
  isObjectName,
  type OtherObject,
  type ServiceAccountObject,
  type WorkloadObject,
} from '../cluster-objects.ts'
import type { Report } from '../finding.ts'
import type { KnownIdentity } from '../inventory.ts'
import { parseManagedIdentityId } from '../../lib/managed-identity.ts'
import { CLIENT_ID, TENANT_ID } from '../needs.ts'
import type { Change, Migration } from './change.ts'
import { editWorkload, formatTexts } from './edit-workload.ts'

export interface PodIdentityOptions {
  /** Whether MIC and NMI ran with --forceNamespaced. Also true if their manifests say so. */
  readonly isNamespaced: boolean
  /** The tenant of managed identities. */
  readonly tenantId: string | undefined
}

const BINDING_LABEL = 'aadpodidbinding'
const BEHAVIOR = 'aadpodidentity.k8s.io/Behavior'

/** An AzureIdentity. */
interface PodIdentity {
  readonly namespace: string
  readonly name: string
  readonly isNamespaced: boolean
  readonly known: KnownIdentity
  readonly resourceId: string | undefined
  /** Of a service principal. */
  readonly tenantId: string | undefined
  readonly notes: readonly string[]
}

/** An AzureIdentityBinding. */
interface Binding {
  readonly namespace: string
  readonly name: string
  readonly identity: string
  readonly selector: string
}

/** A workload with the identities that its label selects, by client id. */
interface Match {
  readonly workload: WorkloadObject
  readonly identities: readonly PodIdentity[]
}

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
  const accounts = chooseAccounts(matches, objects)
  const migrated = matches.map((match) => migrateWorkload(match, accounts))
  const edited = new Map(migrated.map(({ before, workload }) => [before, workload]))
  const created = createAccounts(matches, accounts, objects, options)
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

const Spec = z.object({
  type: z.optional(z.union([z.number(), z.string()])),
  resourceid: z.optional(z.string()),
  clientid: z.string(),
  tenantid: z.optional(z.string()),
  adendpoint: z.optional(z.string()),
  auxiliarytenantids: z.nullish(z.array(z.string())),
  clientpassword: z.nullish(z.record(z.string(), z.unknown())),
})

const BindingSpec = z.object({ azureidentity: z.string(), selector: z.string() })

/** Members have other letter case in manifests of early versions. */
function lowerKeys(value: unknown): unknown {
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(Object.entries(value).map(([key, each]) => [key.toLowerCase(), each]))
}

function parseIdentity(object: OtherObject, report: Report): PodIdentity[] {
  const label = formatObject('AzureIdentity', object)
  const spec = Spec.safeParse(lowerKeys(object.spec)).data
  const clientId = spec?.clientid.trim().toLowerCase() ?? ''
  if (spec === undefined || !isGuid(clientId)) {
    report('error', label, `spec.clientID must be a GUID, not ${JSON.stringify(clientId)}`)
    return []
  }
  const type = String(spec.type ?? 0)
  if (!['0', '1', '2'].includes(type)) {
    report('error', label, `spec.type must be 0, 1 or 2, not ${JSON.stringify(spec.type)}`)
    return []
  }
  const isManaged = type === '0'
  const id = isManaged ? parseManagedIdentityId(spec.resourceid ?? '') : undefined
  const secret = z
    .object({ name: z.string(), namespace: z.optional(z.string()) })
    .safeParse(lowerKeys(spec.clientpassword)).data
  return [
    {
      namespace: object.namespace,
      name: object.name,
      isNamespaced: object.annotations[BEHAVIOR] === 'namespaced',
      known: { clientId, kind: isManaged ? 'managed-identity' : 'application', ...(id && { id }) },
      resourceId: isManaged ? spec.resourceid : undefined,
      tenantId: isManaged ? undefined : spec.tenantid,
      notes: [
        ...(secret === undefined
          ? []
          : [
              `the Secret ${secret.namespace ?? object.namespace}/${secret.name} and the credential of the application that it holds can be deleted, too`,
            ]),
        ...(spec.adendpoint === undefined
          ? []
          : [
              `its login host ${spec.adendpoint} has to be AZURE_AUTHORITY_HOST of the sidecar, and --authority-host here`,
            ]),
        ...(spec.auxiliarytenantids?.length
          ? [
              'auxiliaryTenantIDs have no equivalent: list the application once per tenant in an identities file',
            ]
          : []),
      ],
    },
  ]
}

function parseBinding(object: OtherObject, report: Report): Binding[] {
  const parsed = BindingSpec.safeParse(lowerKeys(object.spec))
  if (!parsed.success) {
    const label = formatObject('AzureIdentityBinding', object)
    report('error', label, 'spec must have azureIdentity and selector')
    return []
  }
  const { azureidentity: identity, selector } = parsed.data
  return [{ namespace: object.namespace, name: object.name, identity, selector }]
}

/** True for MIC and NMI with --forceNamespaced or FORCENAMESPACED=true. */
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
  bindings: readonly Binding[],
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
    report('error', formatObject(workload.kind, workload), message)
  }
  const byClientId = new Map(selected.map((identity) => [identity.known.clientId, identity]))
  return [...byClientId.values()].toSorted((one, other) =>
    one.known.clientId < other.known.clientId ? -1 : 1,
  )
}

/** Formats the set of identities of a match, to compare it. */
function identityKey({ identities }: Match): string {
  return identities.map(({ known }) => known.clientId).join()
}

/**
 * Chooses the ServiceAccount of each match. Its own one stays if all its workloads have the same
 * identities; the account `default` would give them to every pod that names none.
 */
function chooseAccounts(
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
      const isShared = others.some((each) => identityKey(each) !== identityKey(match))
      if (own !== 'default' && !isShared) return [match, own]
      const key = `${workload.namespace} ${identityKey(match)}`
      const known = created.get(key)
      if (known !== undefined) return [match, known]
      const [first, ...more] = identities
      const label = workload.template.metadata?.labels?.[BINDING_LABEL] ?? ''
      const wanted =
        more.length === 0 ? (first?.name ?? '') : label.toLowerCase().replaceAll('_', '-')
      const name = findFreeName(
        isObjectName(wanted) ? wanted : 'identities',
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

const configMapName = (account: string) => `${account}-identities`

function migrateWorkload(match: Match, accounts: ReadonlyMap<Match, string>) {
  const { workload, identities } = match
  const own = findAccountName(workload)
  const account = accounts.get(match) ?? own
  const isMoved = account !== own
  const edits = {
    removeLabel: BINDING_LABEL,
    addAnnotations: {
      'wimds.io/inject': 'true',
      ...(identities.length > 1 && { 'wimds.io/config-map': configMapName(account) }),
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

interface CreatedAccounts {
  readonly changes: readonly Change[]
  /** All of the cluster. */
  readonly serviceAccounts: readonly ServiceAccountObject[]
  /** New ones. */
  readonly configMaps: readonly IdentitiesConfigMap[]
}

function createAccounts(
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
    const name = configMapName(own.name)
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

/** Describes what becomes of the objects of aad-pod-identity itself. */
function describeRemoval(
  object: OtherObject,
  identities: readonly PodIdentity[],
  bindings: readonly Binding[],
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
    {
      object: formatObject(object.kind, object),
      isNew: false,
      remove: [`the object, once no pod has the label ${BINDING_LABEL} any more`],
      add: [],
      notes: [
        ...(isUnused ? ['no workload in the input uses it'] : []),
        ...(identity?.notes ?? []),
        ...(object.kind === 'AzurePodIdentityException'
          ? ['its pods need no exception: only pods that ask for it get a sidecar']
          : []),
      ],
    },
  ]
}
