/** A report as a table, which reads as text on a terminal and as Markdown in the documentation. */
import { type Figure, findExceeded, formatValue, isWithin, type Report } from './figures.ts'

/** Formats Markdown, in columns of equal width as prettier writes them; `baseline` says what `bare` is. */
export function table(figures: readonly Figure[], baseline = 'bare node:http'): string {
  return markdown([['Figure', 'wimds', baseline, 'Bar', ''], ...figures.map(cells)])
}

/** Formats rows of cells, the first being the head, as a Markdown table. */
export function markdown(rows: readonly (readonly string[])[]): string {
  const columns = rows[0]?.length ?? 0
  const widths = Array.from({ length: columns }, (_, column) =>
    Math.max(3, ...rows.map((row) => row[column]?.length ?? 0)),
  )
  const line = (row: readonly string[]) =>
    `| ${widths.map((width, column) => (row[column] ?? '').padEnd(width)).join(' | ')} |`
  const [head = [], ...rest] = rows
  return [line(head), line(widths.map((width) => '-'.repeat(width))), ...rest.map(line)].join('\n')
}

/** Formats where, when and on what a report was measured. */
export const heading = ({ date, node, machine, seconds }: Report): string =>
  `Measured on ${date.slice(0, 10)} with Node ${node} on ${machine}, in ${seconds} seconds.`

/** Says how many of the bars hold, and names those that do not. */
export function verdict(figures: readonly Figure[]): string {
  const count = figures.filter(({ bar }) => bar !== undefined).length
  const exceeded = findExceeded(figures)
  const lines = exceeded.map(
    ({ name, unit, wimds, bar }) =>
      `\nexceeded: ${name}: ${formatValue(wimds, unit)}, ${bar?.text}`,
  )
  return `${count - exceeded.length} of ${count} bars hold.${lines.join('')}`
}

/** Formats what is promised, with what was measured and the file that measures it. */
export function promiseTable(figures: readonly Figure[]): string {
  const rows = figures.flatMap(({ unit, wimds, bar, promise }) =>
    promise === undefined || bar === undefined
      ? []
      : [
          [
            promise.text,
            bar.text.includes('bare') ? `${bar.text} = ${formatValue(bar.limit, unit)}` : bar.text,
            formatValue(wimds, unit),
            `[${promise.source}](../bench/${promise.source})`,
          ],
        ],
  )
  return markdown([['Promise', 'Limit', 'Measured', 'By'], ...rows])
}

/** Formats wimds beside the proxy of azure-workload-identity; says so if the run had none. */
export function incumbentTable(figures: readonly Figure[]): string {
  const rows = figures.flatMap(({ name, unit, wimds, incumbent }) =>
    incumbent === undefined ? [] : [[name, formatValue(wimds, unit), formatValue(incumbent, unit)]],
  )
  if (rows.length === 0) return 'Not measured in this run, which was given no such proxy.'
  return markdown([['Figure', 'wimds', 'Go proxy'], ...rows])
}

function cells(figure: Figure): readonly string[] {
  const { name, unit, wimds, bare, bar } = figure
  return [
    name,
    formatValue(wimds, unit),
    bare === undefined ? '' : formatValue(bare, unit),
    bar === undefined ? '' : bar.text,
    { true: 'ok', false: 'over', undefined: '' }[`${isWithin(figure)}`],
  ]
}
