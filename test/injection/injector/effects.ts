/** Writes what injection does to a pod as lines of text, for the golden files. */
import { inject, type Operation } from '../../../src/injection/injector/inject.ts'
import type { InjectionSettings } from '../../../src/injection/injector/injection-settings.ts'
import { applyPatch, patchFor, pod, request, SERVICE_ACCOUNT } from './patched.ts'

/** A pod, the settings that concern it, and its ServiceAccount. */
export interface Case {
  readonly annotations?: Readonly<Record<string, string>>
  readonly labels?: Readonly<Record<string, string>>
  readonly spec?: object
  /** The whole pod, in place of annotations, labels and spec. */
  readonly pod?: unknown
  readonly settings?: Partial<InjectionSettings>
  /** The annotations of the ServiceAccount. */
  readonly account?: Readonly<Record<string, string>>
  /** If true, all effects are shown. */
  readonly isShownInFull?: boolean
}

/**
 * Describes what injection does to the pod: the reasons of its rejection, or the warnings and the effects. Shows only effects by
 * which the pod differs from a plain pod in its mode (mode nft: in mode loopback). `+` is an additional effect, `~` another value,
 * `-` an effect that the pod lacks. Throws if a second injection changes the pod.
 */
export function describeInjection(each: Case): string {
  const { annotations = {}, labels, spec = {}, settings = {}, account = SERVICE_ACCOUNT } = each
  const metadata = { annotations, ...(labels && { labels }) }
  const given = each.pod ?? { ...pod({}, spec), metadata }
  const injection = inject({ ...request(given, settings), serviceAccount: account })
  if (injection.kind !== 'injected') {
    const lines = injection.kind === 'rejected' ? injection.reasons : injection.warnings
    return [injection.kind, ...lines.map((line) => `  ${line}`)].join('\n')
  }
  const again = inject({ ...request(injection.pod, settings), serviceAccount: account })
  if (again.kind !== 'injected' || again.patch.length > 0) throw new Error(JSON.stringify(again))
  const mode = readMode(injection.pod.metadata?.annotations ?? {})
  const plain = pod({ 'wimds.io/mode': mode === 'nft' ? 'loopback' : mode })
  const usual = each.isShownInFull ? new Map() : findEffects(plain, patchFor(plain))
  const found = findEffects(given, injection.patch)
  return [
    `injected in mode ${mode}`,
    ...injection.warnings.map((line) => `  warning: ${line}`),
    ...[...found]
      .filter(([path, value]) => usual.get(path) !== value)
      .map(([path, value]) => `  ${usual.has(path) ? '~' : '+'} ${path}: ${value}`),
    ...[...usual.keys()].filter((path) => !found.has(path)).map((path) => `  - ${path}`),
  ].join('\n')
}

const readMode = (annotations: Readonly<Record<string, string>>) =>
  /"mode":"(\w+)"/.exec(annotations[RECORD] ?? '')?.[1] ?? ''
/** The annotation with the record of the injection, which other tests check. */
const RECORD = 'wimds.io/injected'

/** Returns the values that the patch sets, by their paths. */
function findEffects(given: unknown, patch: readonly Operation[]): ReadonlyMap<string, string> {
  const [before, after] = [flatten(given), flatten(applyPatch(given, patch))].map((entries) => {
    const found = new Map(entries)
    if (found.size < entries.length) throw new Error(`set twice: ${JSON.stringify(entries)}`)
    return found
  })
  const removed = [...(before?.keys() ?? [])].filter((path) => !after?.has(path))
  return new Map([
    ...removed.map((path) => [path, 'removed'] as const),
    ...[...(after ?? [])].filter(([path, value]) => before?.get(path) !== value),
  ])
}

/** The lists of which the order matters. */
const ORDERED = /^(?:containers|initContainers|volumes)$/
/** The values that are shown as JSON on one line. */
const WHOLE =
  /^(?:resources|securityContext|lifecycle|ports|args|valueFrom|volumeMounts)$|^wimds-(?:token|config|ca)$/

/** Returns each value with the path to it, by the names of list elements. */
function flatten(value: unknown, path = '', key = ''): (readonly [string, string])[] {
  if (key === RECORD) return []
  if (typeof value !== 'object' || value === null || WHOLE.test(key)) {
    const place = path.replace(/^spec\/|\/value(?:From)?$/g, '')
    return [[place, typeof value === 'string' ? value : JSON.stringify(value)]]
  }
  const entries: readonly (readonly [string, unknown])[] = Array.isArray(value)
    ? value.map((each: unknown, index) => [nameOf(each) ?? String(index), each] as const)
    : Object.entries(value).filter(([name]) => name !== 'name' || path === '')
  const order = entries.map(([name]) => name).join(', ')
  return [
    ...(ORDERED.test(key) ? [[`order of ${key}`, order] as const] : []),
    ...entries.flatMap(([name, each]) =>
      flatten(each, path === '' ? name : `${path}/${name}`, name),
    ),
  ]
}

function nameOf(value: unknown): string | undefined {
  const name: unknown =
    typeof value === 'object' && value !== null ? Reflect.get(value, 'name') : undefined
  return typeof name === 'string' ? name : undefined
}
