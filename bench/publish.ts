/** Makes a report the reference that the documentation shows. */
import { readFile, writeFile } from 'node:fs/promises'
import type { Report } from './figures.ts'
import { heading, table } from './table.ts'

const REFERENCE = new URL('results/reference.json', import.meta.url)
const PAGE = new URL('../docs/performance.md', import.meta.url)

/** Writes the reference, and the table between the marks of the page. */
export async function publish(report: Report): Promise<void> {
  await writeFile(REFERENCE, `${JSON.stringify(report, undefined, 2)}\n`)
  await writeFile(PAGE, withTable(await readFile(PAGE, 'utf8'), report))
}

/** Returns the page with this report's table. Throws when its marks are gone. */
export function withTable(page: string, report: Report): string {
  const [begin, end] = ['<!-- figures -->\n', '\n<!-- /figures -->']
  const [from, to] = [page.indexOf(begin), page.indexOf(end)]
  if (from < 0 || to < 0) throw new Error('docs/performance.md has lost its marks for figures')
  const text = `${heading(report)}\n\n${table(report.figures)}`
  return `${page.slice(0, from + begin.length)}\n${text}\n${page.slice(to)}`
}
