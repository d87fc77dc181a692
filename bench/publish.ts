/** Makes a report the reference that the documentation shows. */
import { readFile, writeFile } from 'node:fs/promises'
import { chart } from './chart.ts'
import type { Report } from './figures.ts'
import { heading, table } from './table.ts'

const REFERENCE = new URL('results/reference.json', import.meta.url)
const PAGE = new URL('../docs/performance.md', import.meta.url)
const CHART = new URL('../docs/images/performance.svg', import.meta.url)
const BETWEEN_MARKS = /(?<=<!-- figures -->\n).*(?=\n<!-- \/figures -->)/su

/** Writes the reference, the chart, and the table between the marks of the page. */
export async function publish(report: Report): Promise<void> {
  await writeFile(REFERENCE, `${JSON.stringify(report, undefined, 2)}\n`)
  await writeFile(CHART, chart(report))
  await writeFile(PAGE, withFigures(await readFile(PAGE, 'utf8'), report))
}

/** The page with this report's table. Throws when the marks are gone. */
export function withFigures(page: string, report: Report): string {
  if (!BETWEEN_MARKS.test(page)) throw new Error('docs/performance.md has lost its figure marks')
  return page.replace(BETWEEN_MARKS, () => `\n${heading(report)}\n\n${table(report.figures)}\n`)
}
