/** Writes what injection does to a pod as lines of text, for the golden files. */
import { inject, type Operation } from '../../../src/injection/injector/inject.ts'
import type { InjectionSettings } from '../../../src/injection/injector/injection-settings.ts'
import { applyPatch, patchFor, pod, request, SERVICE_ACCOUNT } from './patched.ts'

/** A pod in. */
export interface Case {
  readonly annotations?: Readonly<Record<string, string>>
  readonly labels?: Readonly<Record<string, string>>
  readonly spec?: object
  /** In place of all of these. */
  readonly pod?: unknown
  readonly settings?: Partial<InjectionSettings>
  /** The annotations of the ServiceAccount. */
  readonly account?: Readonly<Record<string, string>>
  /** True: all effects are shown. */
  readonly isShownInFull?: boolean
}

/**
 * Describes the pod out: why it is rejected, or its warnings and the effects of the injection that a plain pod in that mode
 * does not have: `+` what it gets, `~` what it gets in place of something else, `-` what it lacks. Mode nft is compared with
 * mode loopback. Throws if a second injection of the pod changes it.
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
/** Has tests of its own. */
const RECORD = 'wimds.io/injected'

/** Returns what the patch sets, by the path to it. */
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

/** Lists whose elements stand in a certain order. */
const ORDERED = /^(?:containers|initContainers|volumes)$/
/** What stands on a line of its own. */
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
