/** The figures that pages quote are those of docs/performance.md and docs/compatibility.md, which the benchmark and the clients write. */
import { expect, test } from 'vitest'
import { readPage } from './pages.ts'

const PERFORMANCE = readPage('docs/performance.md')
const ROLL_OUT = 'docs/tasks/roll-out.md'

/** A row of a table: its name, and which of its columns has the figure, from 1 on. */
type Row = readonly [name: string, column: number]

const IDLE: Row = ['private memory, idle', 1]
const ENV: Row = ['mode `env`', 2]
const LOOPBACK: Row = ['mode `loopback`', 2]

test.each<[page: string, quote: RegExp, row: Row, unit?: number]>([
  ['README.md', /\| private memory, idle +\| (\d+) MiB/, IDLE],
  [ROLL_OUT, /\| (\d+) MiB; \d+ MiB \|/, IDLE],
  [ROLL_OUT, /\| \d+ MiB; (\d+) MiB \|/, ['private memory after 200 000 requests', 1]],
  [ROLL_OUT, /\| ready later, .+\| ([\d.]+) s; [\d.]+ s +\|/, ENV, 1000],
  [ROLL_OUT, /\| ready later, .+\| [\d.]+ s; ([\d.]+) s +\|/, LOOPBACK, 1000],
])('%s quotes %s within a fifth of the row %j', (page, quote, row, unit = 1) => {
  const quoted = Number(quote.exec(readPage(page))?.[1]) * unit
  expect(computeDeviation(quoted, readFigure(row))).toBeLessThan(0.2)
})

test.each<[page: string, quote: RegExp]>([
  ['README.md', /tests run (\d+) published SDKs/],
  ['README.md', /\[(\d+) clients\]\(docs.compatibility.md\)[^.]+: (\d+) combinations/],
  ['docs/support.md', /(\d+) clients in seven languages, [^[]+\[(\d+) combinations\]/],
])('%s quotes %s as docs/compatibility.md says', (page, quote) => {
  const [, ...quoted] = quote.exec(readPage(page)) ?? []
  const [, ...run] = /(\d+) clients in (\d+) rows/.exec(readPage('docs/compatibility.md')) ?? []
  expect(quoted).toEqual(run.slice(0, Math.max(1, quoted.length)))
})

/** Returns by which share of the measured figure the quoted one differs. */
function computeDeviation(quoted: number, measured: number): number {
  return Math.abs(quoted / measured - 1)
}

/** Reads a cell of docs/performance.md, from the first row that begins with the name. */
function readFigure([name, column]: Row): number {
  const [row = ''] = new RegExp(`^\\| ${name} +\\|.+$`, 'm').exec(PERFORMANCE) ?? []
  const cells = row.replace(new RegExp(`^\\| ${name} +\\|`), '').split('|')
  return parseNumber(cells[column - 1])
}

/** Parses a figure such as `1 120 ms`. */
function parseNumber(cell = ''): number {
  return Number(/[\d.][\d. ]*/.exec(cell)?.[0].replaceAll(' ', ''))
}
