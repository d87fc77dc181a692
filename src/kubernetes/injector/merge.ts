/** Puts wanted fields into what is there, so that doing it again changes nothing. */
import { isDeepStrictEqual } from 'node:util'

/**
 * The present object with the wanted fields. What others have put there stays: between two calls of
 * an admission webhook the API server fills in defaults, and other webhooks add mounts and
 * variables.
 */
function merged<T extends object>(present: T, wanted: T): T {
  const fields = Object.entries(wanted).map(([key, value]) => [
    key,
    mergedValue(Reflect.get(present, key), value),
  ])
  return { ...present, ...Object.fromEntries(fields) }
}

/** The list with `wanted` in it: merged into the element of the same key, else first in line. */
export function withFirst<T extends object>(list: readonly T[], wanted: T, key: keyof T): T[] {
  const isSame = (element: T) => element[key] === wanted[key]
  if (!list.some(isSame)) return [wanted, ...list]
  return list.map((element) => (isSame(element) ? merged(element, wanted) : element))
}

/** As `withFirst`, else last in line. */
export function withLast<T extends object>(list: readonly T[], wanted: T, key: keyof T): T[] {
  return list.some((element) => element[key] === wanted[key])
    ? withFirst(list, wanted, key)
    : [...list, wanted]
}

function mergedValue(present: unknown, wanted: unknown): unknown {
  if (isObject(present) && isObject(wanted)) return merged(present, wanted)
  if (Array.isArray(present) && Array.isArray(wanted)) return mergedList(present, wanted)
  return wanted
}

function mergedList(present: readonly unknown[], wanted: readonly unknown[]): unknown[] {
  const key = LIST_KEYS.find((name) => [...present, ...wanted].every((each) => has(each, name)))
  if (key === undefined) return [...wanted]
  const valueOf = (each: unknown) => (isObject(each) ? Reflect.get(each, key) : undefined)
  const kept = present.map((element) => {
    const replacement = wanted.find((each) => valueOf(each) === valueOf(element))
    return replacement === undefined || covers(element, replacement) ? element : replacement
  })
  const values = new Set(present.map(valueOf))
  return [...kept, ...wanted.filter((each) => !values.has(valueOf(each)))]
}

/** What tells elements of a list apart, in the order in which Kubernetes' own merge looks for it. */
const LIST_KEYS = ['mountPath', 'containerPort', 'name']

/** True if every wanted field is there with its value. */
function covers(present: unknown, wanted: unknown): boolean {
  if (!isObject(present) || !isObject(wanted)) return isDeepStrictEqual(present, wanted)
  return Object.entries(wanted).every(([key, value]) => covers(Reflect.get(present, key), value))
}

function has(value: unknown, key: string): boolean {
  return isObject(value) && Object.hasOwn(value, key)
}

function isObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
