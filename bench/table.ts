/** A report as a table, which reads as text on a terminal and as Markdown in the documentation. */
import { type Figure, formatValue, isWithin, type Report } from './figures.ts'

/** Markdown, in columns of equal width as prettier writes them; `baseline` says what `bare` is. */
export function table(figures: readonly Figure[], baseline = 'bare node:http'): string {
  return markdown([['Figure', 'wimds', baseline, 'Bar', ''], ...figures.map(cells)])
}

/** Rows of cells, the first being the head, as a Markdown table. */
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

/** Where, when and on what a report was measured. */
export const heading = ({ date, node, machine, seconds }: Report): string =>
  `Measured on ${date.slice(0, 10)} with Node ${node} on ${machine}, in ${seconds} seconds.`

/** How many of the bars hold, in words. */
export function verdict(figures: readonly Figure[]): string {
  const within = figures.map(isWithin).filter((isOk) => isOk !== undefined)
  return `${within.filter(Boolean).length} of ${within.length} bars hold.`
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
