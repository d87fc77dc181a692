/** Answers AdmissionReviews (admission.k8s.io/v1) of new pods, without side effects. */
import * as z from 'zod/mini'
import { errorMessage } from '../../lib/describe-error.ts'
import { isDnsLabel, isDnsSubdomain } from '../../lib/grammars.ts'
import { firstItems, toLine } from '../../lib/printable.ts'
import { scrubAndTruncate } from '../../lib/secret.ts'
import { type AccountResult, TENANT_ID } from '../../kubernetes/service-account.ts'
import { inject, type Injection } from '../injector/inject.ts'
import { findText, getServiceAccountName } from '../../kubernetes/pod.ts'
import type { InjectionSettings } from '../injector/injection-settings.ts'
import { MalformedReview, Overloaded, type ReadReview } from './review-queue.ts'
import type { ServiceAccountLookup } from './service-accounts.ts'

const API_VERSION = 'admission.k8s.io/v1'

const AdmissionReview = z.object({
  apiVersion: z.literal(API_VERSION),
  kind: z.literal('AdmissionReview'),
  request: z.object({
    uid: z.string().check(z.minLength(1)),
    kind: z.object({ group: z.string(), version: z.string(), kind: z.string() }),
    operation: z.string(),
    namespace: z.optional(z.string()),
    object: z.optional(z.unknown()),
  }),
})
type AdmissionRequest = z.infer<typeof AdmissionReview>['request']

/** The fields that are read before the pod as a whole is parsed. */
const Fields = z.nullish(z.record(z.string(), z.unknown()))
const PodSubject = z.object({ metadata: Fields, spec: Fields })

export interface AdmissionOptions {
  readonly settings: InjectionSettings
  readonly lookUpServiceAccount: ServiceAccountLookup
  /** The tenant of ServiceAccounts without the annotation `azure.workload.identity/tenant-id`. */
  readonly defaultTenantId?: string | undefined
}

/**
 * The outcomes of a review. `error`: the ServiceAccount could not be read, or an unexpected error occurred. `overloaded`:
 * there was no room for the review, or for the look-up of its ServiceAccount.
 */
export const OUTCOMES = [
  'injected',
  'skipped',
  'rejected',
  'error',
  'malformed',
  'overloaded',
] as const

export interface Decision {
  readonly outcome: (typeof OUTCOMES)[number]
  /** Why the pod was not admitted. */
  readonly message?: string
  /** The pod as the log names it. `pod` is its name or `generateName`, and empty if it has neither. */
  readonly subject?: { readonly namespace: string; readonly pod: string }
  /** The body of the reply. */
  readonly review: object
}

/** Decides on the pod of a review. `read` parses the review. */
export type Review = (read: ReadReview) => Promise<Decision>

/** Returns the functions that review pods, by the paths to which the API server sends them. */
export function createReviews(options: AdmissionOptions): Readonly<Record<string, Review>> {
  const ofNamespace = { ...options, settings: { ...options.settings, injectByDefault: true } }
  return {
    '/mutate': (read) => reviewPod(read, options),
    // The API server sends the pods of labelled namespaces here, so the webhook need not read namespaces.
    '/mutate/namespace': (read) => reviewPod(read, ofNamespace),
  }
}

/**
 * Decides on one pod. A dry run gets the same reply, since a review changes nothing. Throws `MalformedReview`, and
 * `Overloaded` if the queue has evicted the body.
 */
export async function reviewPod(read: ReadReview, options: AdmissionOptions): Promise<Decision> {
  const { settings, defaultTenantId } = options
  const { uid, isNewPod, namespace, name, subject } = await read(parseSubject)
  const reject = (reasons: readonly string[]): Decision => {
    const message = formatRejection(reasons, settings)
    return { outcome: 'rejected', message, subject, review: reply(uid, deny(422, message)) }
  }
  if (!isNewPod) return { outcome: 'skipped', review: reply(uid, { allowed: true }) }
  let account: AccountResult
  try {
    // Another text, such as one with a slash, could change the path of the look-up.
    account =
      isDnsLabel(namespace) && isDnsSubdomain(name)
        ? await options.lookUpServiceAccount(namespace, name)
        : { problem: 'has no valid name. Fix: correct spec.serviceAccountName' }
  } catch (error) {
    const reason = errorMessage(error)
    const message = `wimds could not read the ServiceAccount ${namespace}/${name} (${reason}); create the pod again`
    const outcome = error instanceof Overloaded ? 'overloaded' : 'error'
    return { outcome, message, subject, review: reply(uid, deny(503, message)) }
  }
  if ('problem' in account) {
    const place = `${subject.namespace}/${toPrintable(name)}`
    return reject([`the ServiceAccount ${place} ${account.problem}`])
  }
  const defaults = defaultTenantId === undefined ? {} : { [TENANT_ID]: defaultTenantId }
  const serviceAccount = { ...defaults, ...account.annotations }
  return await read((body) => {
    const { object: pod } = parseRequest(body)
    const injection = inject({ pod, serviceAccount, settings, isAdmission: true })
    if (injection.kind === 'rejected') return reject(injection.reasons)
    return { outcome: injection.kind, review: reply(uid, admit(injection)) }
  })
}

function parseRequest(body: unknown): AdmissionRequest {
  const parsed = AdmissionReview.safeParse(body)
  if (!parsed.success) throw new MalformedReview(z.prettifyError(parsed.error))
  return parsed.data.request
}

function parseSubject(body: unknown) {
  const { uid, kind, operation, namespace = '', object } = parseRequest(body)
  const { metadata, spec } = PodSubject.safeParse(object).data ?? {}
  const pod = findText(metadata?.['name'], metadata?.['generateName']) ?? ''
  return {
    uid,
    isNewPod: kind.group === '' && kind.kind === 'Pod' && operation === 'CREATE',
    namespace,
    name: getServiceAccountName(spec ?? {}),
    subject: { namespace: toPrintable(namespace), pod: toPrintable(pod) },
  }
}

/** Returns the name as the log shows it. It may be any text: the API server calls webhooks before it validates names. */
function toPrintable(name: string): string {
  return name === '' || isDnsSubdomain(name.replace(/-$/, '')) ? name : scrubAndTruncate(name, 253)
}

function admit(injection: Exclude<Injection, { kind: 'rejected' }>): object {
  const patch = injection.kind === 'injected' ? injection.patch : []
  const warnings = injection.warnings.slice(0, MAX_REASONS)
  return {
    allowed: true,
    ...(patch.length > 0 && {
      patchType: 'JSONPatch',
      patch: Buffer.from(JSON.stringify(patch)).toString('base64'),
    }),
    ...(warnings.length > 0 && {
      warnings: warnings.map((text) => `wimds: ${truncateReason(text)}`),
    }),
  }
}

/** Explains the rejection to a team that did not label its namespace itself, and says how to opt out. */
const BY_NAMESPACE =
  ', as the label wimds.io/inject of the namespace asks (the annotation wimds.io/inject: "false" leaves a pod out)'

/** The maximum number of reasons in one message. A pod can have one for each of thousands of containers. */
const MAX_REASONS = 10
const MAX_REASON_LENGTH = 500

/** Formats the message of a rejection as one line of limited length. */
function formatRejection(
  reasons: readonly string[],
  { injectByDefault }: InjectionSettings,
): string {
  const cause = injectByDefault ? BY_NAMESPACE : ''
  return `wimds cannot be injected${cause}: ${firstItems(reasons, MAX_REASONS).map(truncateReason).join('; ')}`
}

/** Returns a reason as one line of limited length. Reasons repeat names and annotations, which can be any text of any length. */
function truncateReason(text: string): string {
  return scrubAndTruncate(toLine(text), MAX_REASON_LENGTH)
}

function deny(code: number, message: string): object {
  return { allowed: false, status: { code, message } }
}

function reply(uid: string, response: object): object {
  return { apiVersion: API_VERSION, kind: 'AdmissionReview', response: { uid, ...response } }
}
