/** Finds the federated credentials that the objects of a cluster need. */
import { parseAnnotations } from '../../injection/injector/annotations.ts'
import { CLIENT_ID, TENANT_ID, USE_LABEL } from '../../kubernetes/service-account.ts'
import { getServiceAccountName } from '../../kubernetes/pod.ts'
import { isDnsSubdomain } from '../../lib/grammars.ts'
import { type Account, readAccounts } from './accounts.ts'
import { type ClusterObjects, formatObject, type WorkloadObject } from './cluster-objects.ts'
import { formatSubject, type Report } from './finding.ts'
import { isAudience } from './find-issuer.ts'
import { BINDING, findMainToken } from './projected-token.ts'
import {
  findEntries,
  findEntryIdentity,
  findExplicitIdentities,
  takesClientIdFromElsewhere,
  type WorkloadIdentity,
} from './workload-identities.ts'

export interface TrustOptions {
  /** The issuer of the cluster's tokens. */
  readonly issuer: string
  /** The audience of projected tokens for Entra ID. */
  readonly audience: string
  /** The identity of injected workloads whose ServiceAccount names none. */
  readonly clientId: string | undefined
  /** The namespaces that may use an identity, by its client id. */
  readonly allowed: ReadonlyMap<string, readonly string[]>
}

/** A federated credential that one object needs. */
export interface Need {
  readonly clientId: string
  readonly subject: string
  readonly audience: string
  /** The object, such as `Deployment shop/orders`. */
  readonly source: string
  /** The namespace of the object. */
  readonly namespace: string
}

interface Context {
  readonly objects: ClusterObjects
  /** The ServiceAccounts by the subjects of their tokens. */
  readonly accounts: ReadonlyMap<string, Account>
  readonly options: TrustOptions
  readonly report: Report
  /** Subjects whose tokens go to the token proxy of an identity binding. */
  readonly bound: Set<string>
  /** Workloads that neither ask for an identity nor opt out. */
  readonly silent: WorkloadObject[]
}

/** Returns the need of each object. Several objects may need the credential of one identity and subject. */
export function findNeeds(objects: ClusterObjects, options: TrustOptions, report: Report): Need[] {
  const accounts = readAccounts(objects.serviceAccounts, report)
  const context: Context = { objects, accounts, options, report, bound: new Set(), silent: [] }
  const ofWorkloads = objects.workloads.flatMap((workload) => findWorkloadNeeds(workload, context))
  const ofAccounts = [...accounts].flatMap(([subject, account]) =>
    findAccountNeeds(subject, account, ofWorkloads, context),
  )
  const needs = [...ofAccounts, ...ofWorkloads]
  reportSilent(context, needs)
  return needs
}

/**
 * Reports the workloads that may be injected later, such as by `wimds inject`, and need a credential then. A workload that runs
 * in a cluster is not injected later: it is reported only if its Namespace, which may ask for injection, was not read from there,
 * or if the input needs no credential at all.
 */
function reportSilent(context: Context, needs: readonly Need[]): void {
  const { objects, silent, bound, report } = context
  const subjects = new Set(needs.map(({ subject }) => subject))
  const unlisted = silent.filter((each) => !subjects.has(toSubject(each)))
  for (const each of unlisted) report.keep(toSubject(each))
  const isAll = needs.length + bound.size === 0
  const reported = unlisted.filter(
    ({ isStored, namespace }) => isAll || !isStored || !objects.storedNamespaces.has(namespace),
  )
  const [first] = reported
  if (first === undefined) return
  report.warning(
    'input',
    `no credential is listed for workloads that do not request injection: ${reported.length}, such as ${formatObject(first.kind, first)}`,
    `if they use wimds, ${REQUEST_FIX}, or pass the output of wimds inject`,
  )
}

/** The fix for a workload that does not request injection. */
export const REQUEST_FIX =
  'set the annotation wimds.io/inject: "true" of the pod template, or also pass the Namespace whose label asks for injection'

const toSubject = ({ namespace, template }: WorkloadObject) =>
  formatSubject(namespace, getServiceAccountName(template.spec))

/** Returns the need of an annotated ServiceAccount. Its workloads may not be in the input. */
function findAccountNeeds(
  subject: string,
  { object, clientId, isReported }: Account,
  ofWorkloads: readonly Need[],
  { objects, options, report, bound }: Context,
): Need[] {
  if (isReported) return []
  const source = formatObject('ServiceAccount', object)
  if (clientId === undefined) {
    const isUsed = objects.workloads.some((each) => toSubject(each) === subject)
    if (object.annotations[TENANT_ID] !== undefined && !isUsed) {
      report.warning(
        source,
        'names a tenant but no identity, so no credential is listed for it',
        `add the annotation ${CLIENT_ID} to it, or its workloads to the input`,
      )
    }
    return []
  }
  const same = ofWorkloads.find((need) => need.clientId === clientId && need.subject === subject)
  if (same !== undefined) return [{ ...same, source }]
  if (bound.has(subject)) {
    report.warning(
      source,
      `uses an identity binding, so ${clientId} needs no federated credential for it`,
    )
    return []
  }
  const { namespace } = object
  return [{ clientId, subject, audience: options.audience, source, namespace }]
}

function findWorkloadNeeds(workload: WorkloadObject, context: Context): Need[] {
  const { objects, accounts, options, report, bound, silent } = context
  const { template, namespace } = workload
  const source = formatObject(workload.kind, workload)
  const accountName = getServiceAccountName(template.spec)
  if (!isDnsSubdomain(accountName)) {
    return report.leaveOut(
      namespace,
      source,
      `serviceAccountName ${JSON.stringify(accountName)} is not a valid name`,
    )
  }
  const subject = formatSubject(namespace, accountName)
  const main = findMainToken(template, options.audience)
  const toNeed = (identity: WorkloadIdentity): Need[] => {
    if (identity.token === BINDING) {
      bound.add(subject)
      return []
    }
    const { token: audience, clientId } = identity
    if (!isAudience(audience)) {
      return report.leaveOut(
        namespace,
        source,
        `its projected token for ${clientId} has the audience ${JSON.stringify(audience)}, which must be a URI or a GUID`,
        'correct serviceAccountToken.audience of the volume',
      )
    }
    return [{ clientId, subject, audience, source, namespace }]
  }
  const { configMap } = parseAnnotations(template)
  const request = findRequest(workload, objects)
  const isInjected = request === true
  const leaveOut = (problem: string, fix: string) =>
    report.leaveOut(namespace, source, problem, fix)
  if (takesClientIdFromElsewhere(template)) report.keep(namespace)
  const explicit = findExplicitIdentities(workload, main, leaveOut)
  if (isInjected && configMap !== undefined) {
    const entries = findEntries(workload, configMap, objects, leaveOut)
    const listed = entries.map((entry) =>
      findEntryIdentity(entry, template, main, options.audience),
    )
    return [...explicit, ...listed].flatMap(toNeed)
  }
  const isLabelled = template.metadata?.labels?.[USE_LABEL] === 'true'
  if (explicit.length > 0 || (!isInjected && !isLabelled)) {
    if (explicit.length === 0 && request === undefined) silent.push(workload)
    return explicit.flatMap(toNeed)
  }
  const account = accounts.get(subject)
  if (account?.isReported) return []
  const clientId = account?.clientId ?? (isInjected ? options.clientId : undefined)
  if (clientId !== undefined) return toNeed({ clientId, token: main })
  const label = formatObject('ServiceAccount', { namespace, name: accountName })
  return account === undefined
    ? leaveOut(`uses ${label}, which is not in the input`, 'add it to the input')
    : leaveOut(
        `has no identity: ${label} names none`,
        `add the annotation ${CLIENT_ID} to it, or pass --client-id`,
      )
}

/**
 * Returns true if the pods have the sidecar or an annotation for it, or if their namespace asks for it; false if they opt out;
 * undefined otherwise.
 */
function findRequest(
  { template, annotations, namespace }: WorkloadObject,
  { injectedNamespaces }: ClusterObjects,
): boolean | undefined {
  const { inject } = parseAnnotations(template)
  if (inject === false || annotations['wimds.io/inject'] === 'false') return false
  const names = Object.keys(template.metadata?.annotations ?? {})
  const isRequested =
    inject === true ||
    injectedNamespaces.has(namespace) ||
    names.some((name) => name.startsWith('wimds.io/'))
  return isRequested || undefined
}
