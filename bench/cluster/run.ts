/** `npm run bench:cluster`: what injection costs in a cluster; prints a table. Exits with 1 if a bar is exceeded. */
import { parseArgs } from 'node:util'
import { connectToEntra } from '../../test/e2e/support/entra.ts'
import globalSetup from '../../test/e2e/support/global-setup.ts'
import { findExceeded } from '../figures.ts'
import { table, verdict } from '../table.ts'
import { density } from './density.ts'
import { readiness } from './readiness.ts'
import { reviews } from './reviews.ts'

const USAGE = `usage: npm run bench:cluster -- [--density]

  --density  only start 30 and 60 pods at once, of each kind
`

async function measure(): Promise<number> {
  // Reviews first: the node is busy for some seconds after pods are deleted.
  const webhook = await reviews()
  const figures = [...(await readiness()), ...webhook]
  process.stdout.write(`${table(figures, 'the pod alone')}\n\n${verdict(figures)}\n`)
  return findExceeded(figures).length > 0 ? 1 : 0
}

async function measureDensity(): Promise<number> {
  const stop = await globalSetup()
  try {
    const entra = await connectToEntra()
    process.stdout.write(`${await density(entra)}\n`)
    return 0
  } finally {
    await stop()
  }
}

const { values } = parseArgs({
  options: { density: { type: 'boolean', default: false }, help: { type: 'boolean' } },
})
if (values.help === true) process.stdout.write(USAGE)
else process.exitCode = await (values.density ? measureDensity() : measure())
