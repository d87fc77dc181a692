/** A report as a table, which reads as text on a terminal and as Markdown in the documentation. */
import { type Figure, formatValue, isExceeded, type Report } from './figures.ts'

/** Formats figures as Markdown. */
export function table(figures: readonly Figure[]): string {
  return markdown([['Figure', 'wimds', 'bare node:http', 'Bar'], ...figures.map(cells)])
}

/** Formats rows of cells, the first being the head, as a Markdown table. */
function markdown(rows: readonly (readonly string[])[]): string {
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
  const exceeded = figures.filter(isExceeded)
  const lines = exceeded.map(
    ({ name, unit, wimds, bar }) =>
      `\nexceeded: ${name}: ${formatValue(wimds, unit)}, ${bar?.text}`,
  )
  return `${count - exceeded.length} of ${count} bars hold.${lines.join('')}`
}

function cells(figure: Figure): readonly string[] {
  const { name, unit, wimds, bare, bar } = figure
  const format = (value: number | undefined) =>
    value === undefined ? '' : formatValue(value, unit)
  return [
    name,
    format(wimds),
    format(bare),
    `${bar?.text ?? ''}${isExceeded(figure) ? ': over' : ''}`,
  ]
}
