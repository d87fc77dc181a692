/**
 * Returns the pure function `compute`, memoized for its last argument alone. Errors are not memoized.
 */
export function memoizeLast<T>(compute: (text: string) => T): (text: string) => T {
  let last: { readonly text: string; readonly result: T } | undefined
  return (text) => {
    if (last?.text !== text) last = { text, result: compute(text) }
    return last.result
  }
}
