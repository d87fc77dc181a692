/** Parses Prometheus's text format. */

/** Returns the value of each series, such as `name{label="value"}`, in the order of the text. */
export function parseSamples(exposition: string): Map<string, number> {
  const lines = exposition.split('\n').filter((line) => line !== '' && !line.startsWith('#'))
  return new Map(
    lines.map((line) => {
      const at = line.lastIndexOf(' ')
      return [line.slice(0, at), Number(line.slice(at + 1))]
    }),
  )
}
