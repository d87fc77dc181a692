/** The chart has the rules and the dashboard of the examples. */
import { readFile } from 'node:fs/promises'
import { expect, test } from 'vitest'

test.each(['rules.yaml', 'dashboard.json'])(
  'the chart’s %s is that of the examples; if not, run `npm run docs:chart`',
  async (name) => {
    const ofExamples = await readFile(`examples/observability/${name}`, 'utf8')
    expect(await readFile(`charts/wimds/files/${name}`, 'utf8')).toBe(ofExamples)
  },
)
