/** Makes a report the reference that the documentation shows. */
import { readFile, writeFile } from 'node:fs/promises'
import { chart } from './chart.ts'
import type { Report } from './figures.ts'
import { fleetTable } from './fleet/scenarios.ts'
import { heading, table } from './table.ts'

const REFERENCE = new URL('results/reference.json', import.meta.url)
const PAGE = new URL('../docs/performance.md', import.meta.url)
const CHART = new URL('../docs/images/performance.svg', import.meta.url)

/** Writes the reference, the chart, and the tables between the marks of the page. */
export async function publish(report: Report): Promise<void> {
  await writeFile(REFERENCE, `${JSON.stringify(report, undefined, 2)}\n`)
  await writeFile(CHART, chart(report))
  await writeFile(PAGE, withTables(await readFile(PAGE, 'utf8'), report))
}

/** Returns the page with this report's tables and the fleet's. Throws when their marks are gone. */
export function withTables(page: string, report: Report): string {
  return Object.entries({
    figures: `${heading(report)}\n\n${table(report.figures)}`,
    fleet: fleetTable(),
  }).reduce((text, [mark, content]) => between(text, mark, content), page)
}

function between(page: string, mark: string, text: string): string {
  const [begin, end] = [`<!-- ${mark} -->\n`, `\n<!-- /${mark} -->`]
  const [from, to] = [page.indexOf(begin), page.indexOf(end)]
  if (from < 0 || to < 0) throw new Error(`docs/performance.md has lost its marks for ${mark}`)
  return `${page.slice(0, from + begin.length)}\n${text}\n${page.slice(to)}`
}
