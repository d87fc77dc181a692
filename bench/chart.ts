/** The chart of docs/performance.md: how much of each bar is used, and what the baseline needs. */
import { type Figure, formatValue, isWithin, type Report } from './figures.ts'

const WIDTH = 840
const TOP = 56
const ROW = 44
/** Where the line of the bars is; what exceeds a bar goes on for a while. */
const LEFT = 16
const BAR_AT = 620
const LONGEST = 1.3

/** Formats an SVG for light and dark pages. Rows are the figures with a bar that is a limit other than 0. */
export function chart({ figures, date, node }: Report): string {
  const rows = figures.filter(
    ({ bar }) => bar !== undefined && bar.isLeast !== true && bar.limit > 0,
  )
  const height = TOP + rows.length * ROW + 12
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" role="img" aria-labelledby="title">
<title id="title">What wimds needs, as a share of what each bar allows</title>
<style>
text { font: 13px system-ui, sans-serif; fill: #1f2328 }
.small { font-size: 11px; fill: #59636e }
.wimds { fill: #0969da }
.over { fill: #cf222e }
.bare { fill: #8c959f }
.limit { stroke: #59636e; stroke-dasharray: 4 3 }
@media (prefers-color-scheme: dark) {
text { fill: #e6edf3 }
.small { fill: #9198a1 }
.wimds { fill: #4493f8 }
.over { fill: #f85149 }
.bare { fill: #656c76 }
.limit { stroke: #9198a1 }
}
</style>
<text x="${LEFT}" y="20">wimds (blue; red past its bar) and a bare node:http server (grey), as a share of the bar</text>
<text x="${LEFT}" y="38" class="small">${date.slice(0, 10)}, Node ${escaped(node)}; shorter is better</text>
<line class="limit" x1="${BAR_AT}" x2="${BAR_AT}" y1="${TOP - 8}" y2="${height - 8}"/>
<text x="${BAR_AT + 6}" y="${TOP - 2}" class="small">the bar</text>
${rows.map((figure, index) => row(figure, TOP + index * ROW)).join('\n')}
</svg>
`
}

function row(figure: Figure, y: number): string {
  const { name, unit, wimds, bare, bar } = figure
  const limit = bar?.limit ?? 1
  const label = `${name}: ${formatValue(wimds, unit)} of ${formatValue(limit, unit)}`
  const kind = isWithin(figure) === false ? 'over' : 'wimds'
  return [
    `<text x="${LEFT}" y="${y + 14}">${escaped(label)}</text>`,
    `<rect class="${kind}" x="${LEFT}" y="${y + 19}" height="9" width="${length(wimds / limit)}"/>`,
    ...(bare === undefined
      ? []
      : [
          `<rect class="bare" x="${LEFT}" y="${y + 29}" height="5" width="${length(bare / limit)}"/>`,
        ]),
  ].join('\n')
}

const length = (share: number): string =>
  Math.max(1, Math.min(share, LONGEST) * (BAR_AT - LEFT)).toFixed(1)

const escaped = (text: string): string => text.replaceAll('&', '&amp;').replaceAll('<', '&lt;')
