/** An AdmissionReview in, an AdmissionReview out: admission.k8s.io/v1, without side effects. */
import * as z from 'zod/mini'
import { scrub, scrubAndTruncate } from '../../secret.ts'
import { inject, type Injection } from '../injector/inject.ts'
import type { ServiceAccountAnnotations } from '../injector/plan.ts'
import { serviceAccountName } from '../injector/pod.ts'
import type { InjectionSettings } from '../injector/settings.ts'

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

/** The one thing looked at before the pod as a whole is parsed. */
const PodAccount = z.object({
  spec: z.object({
    serviceAccountName: z.nullish(z.string()),
    serviceAccount: z.nullish(z.string()),
  }),
})

const PodNames = z.object({
  metadata: z.object({ name: z.nullish(z.string()), generateName: z.nullish(z.string()) }),
})

/** DNS-1123, as the API server has them. Anything else is another place in the URL of a lookup. */
const NAME = /^[a-z0-9](?:[a-z0-9.-]{0,251}[a-z0-9])?$/

/** The annotations of a ServiceAccount, empty when there is none. Rejects when nobody knows. */
export type ServiceAccountLookup = (
  namespace: string,
  name: string,
) => Promise<ServiceAccountAnnotations>

export interface AdmissionOptions {
  readonly settings: InjectionSettings
  readonly serviceAccount: ServiceAccountLookup
  /** For ServiceAccounts that name no tenant of their own. */
  readonly defaultTenantId?: string
}

/** A pod in the words of a log. */
interface Subject {
  readonly namespace: string
  /** Its name, or what its name will begin with; empty if it has neither. */
  readonly pod: string
}

export interface Reviewed {
  /** `failed`: the ServiceAccount could not be read. */
  readonly outcome: Injection['kind'] | 'error'
  /** Why a pod was not let in. */
  readonly message?: string
  /** Which pod that is. */
  readonly subject?: Subject
  /** The body of the answer. */
  readonly review: object
}

/** What was sent is no AdmissionReview. */
export class MalformedReview extends Error {}

/**
 * Decides on one pod. A dry run is answered as any other request: nothing happens here beside the
 * answer. Throws `MalformedReview`.
 */
export async function review(body: unknown, options: AdmissionOptions): Promise<Reviewed> {
  const parsed = AdmissionReview.safeParse(body)
  if (!parsed.success) throw new MalformedReview(z.prettifyError(parsed.error))
  const { uid, kind, operation, namespace = '', object } = parsed.data.request
  const isNewPod = kind.group === '' && kind.kind === 'Pod' && operation === 'CREATE'
  if (!isNewPod) return { outcome: 'skipped', review: reply(uid, { allowed: true }) }
  const name = serviceAccountName(PodAccount.safeParse(object).data?.spec ?? {})
  const subject = { namespace: shown(namespace), pod: podOf(object) }
  const isNamed = NAME.test(namespace) && NAME.test(name)
  let annotations: ServiceAccountAnnotations
  try {
    annotations = isNamed ? await options.serviceAccount(namespace, name) : {}
  } catch (error) {
    const reason = scrub(error instanceof Error ? error.message : 'unknown reason')
    const message = `wimds could not read the ServiceAccount ${namespace}/${name} (${reason}); create the pod again`
    return { outcome: 'error', message, subject, review: reply(uid, refusal(503, message)) }
  }
  const serviceAccount = withTenant(annotations, options.defaultTenantId)
  const injection = inject({ pod: object, serviceAccount, settings: options.settings })
  if (isNamed || injection.kind === 'skipped') return answer(uid, injection, subject)
  const reasons = ['the namespace or spec.serviceAccountName is not the name of one; mend it']
  return answer(uid, { kind: 'rejected', reasons }, subject)
}

function podOf(object: unknown): string {
  const { name, generateName } = PodNames.safeParse(object).data?.metadata ?? {}
  return shown(name || generateName || '')
}

/** The API server asks before it has looked at names, so one may be any text. */
function shown(name: string): string {
  return NAME.test(name.replace(/-$/, '')) ? name : scrubAndTruncate(name, 253)
}

function withTenant(
  annotations: ServiceAccountAnnotations,
  tenantId: string | undefined,
): ServiceAccountAnnotations {
  return tenantId === undefined
    ? annotations
    : { 'azure.workload.identity/tenant-id': tenantId, ...annotations }
}

function answer(uid: string, injection: Injection, subject: Subject): Reviewed {
  const { kind: outcome } = injection
  if (injection.kind === 'skipped') return { outcome, review: reply(uid, { allowed: true }) }
  if (injection.kind === 'rejected') {
    const message = `wimds cannot be injected: ${inFewWords(injection.reasons)}`
    return { outcome, message, subject, review: reply(uid, refusal(422, message)) }
  }
  const { patch: operations, warnings } = injection
  const patch = Buffer.from(JSON.stringify(operations)).toString('base64')
  const patched = operations.length > 0 && { patchType: 'JSONPatch', patch }
  const warned = warnings.length > 0 && { warnings: warnings.map((text) => `wimds: ${cut(text)}`) }
  return { outcome, review: reply(uid, { allowed: true, ...patched, ...warned }) }
}

/** As many reasons as anybody reads: a pod can have one for each of its thousands of containers. */
const MAX_REASONS = 10
const MAX_LENGTH = 500

function inFewWords(reasons: readonly string[]): string {
  const more = reasons.length - MAX_REASONS
  const told = reasons.slice(0, MAX_REASONS).map(cut)
  return [...told, ...(more > 0 ? [`and ${more} more`] : [])].join('; ')
}

/** Reasons repeat names and annotations, of any length. */
function cut(text: string): string {
  return text.length > MAX_LENGTH ? `${text.slice(0, MAX_LENGTH)}…` : text
}

function refusal(code: number, message: string): object {
  return { allowed: false, status: { code, message } }
}

function reply(uid: string, response: object): object {
  return { apiVersion: API_VERSION, kind: 'AdmissionReview', response: { uid, ...response } }
}
