/** Returns the value that would be the first after sorting; undefined if there is none. */
export function findFirst<T>(
  values: readonly T[],
  compare: (one: T, other: T) => number,
): T | undefined {
  let first = values[0]
  for (const value of values) if (first === undefined || compare(value, first) < 0) first = value
  return first
}
