/** `npm run bench:cluster`: what injection costs in a cluster; prints a table. Exits with 1 if a bar is exceeded. */
import { parseArgs } from 'node:util'
import { connectToEntra } from '../../test/e2e/support/entra.ts'
import globalSetup from '../../test/e2e/support/global-setup.ts'
import { startAgent, uninstallAgent } from '../../test/e2e/support/node-agent.ts'
import { type Figure, findExceeded } from '../figures.ts'
import { table, verdict } from '../table.ts'
import { density } from './density.ts'
import { ALONE, type Kind, KINDS } from './pods.ts'
import { readiness } from './readiness.ts'
import { reviews } from './reviews.ts'

const USAGE = `usage: npm run bench:cluster -- [--density] [--kinds NAME,NAME]

  --density  only start 30 and 60 pods at once, of each kind
  --kinds    no webhook, and only these kinds of pods beside the pod alone: ${KINDS.map(({ name }) => name).join(', ')}
`

/** Runs while the agent of mode node is installed, if one of the kinds needs it. */
async function withAgent<T>(kinds: readonly Kind[], run: () => Promise<T>): Promise<T> {
  if (!kinds.some(({ name }) => name === 'node')) return run()
  try {
    await startAgent()
    return await run()
  } finally {
    await uninstallAgent()
  }
}

async function measureReadiness(
  kinds: readonly Kind[],
  hasWebhook: boolean,
): Promise<readonly Figure[]> {
  // Reviews first: the node is busy for some seconds after pods are deleted.
  const webhook = hasWebhook ? await reviews() : []
  const figures = [...(await withAgent(kinds, () => readiness(kinds))), ...webhook]
  process.stdout.write(`${table(figures, 'the pod alone')}\n\n`)
  return figures
}

async function measureDensity(kinds: readonly Kind[]): Promise<readonly Figure[]> {
  const stop = await globalSetup()
  try {
    const entra = await connectToEntra()
    const result = await withAgent(kinds, () => density(entra, kinds))
    process.stdout.write(`${result.table}\n\n${table(result.figures)}\n\n`)
    return result.figures
  } finally {
    await stop()
  }
}

const { values } = parseArgs({
  options: {
    density: { type: 'boolean', default: false },
    kinds: { type: 'string' },
    help: { type: 'boolean' },
  },
})
if (values.help === true) process.stdout.write(USAGE)
else {
  const names = values.kinds?.split(',')
  const kinds = KINDS.filter(({ name }) => name === ALONE || (names?.includes(name) ?? true))
  const figures = values.density
    ? await measureDensity(kinds)
    : await measureReadiness(kinds, names === undefined)
  process.stdout.write(`${verdict(figures)}\n`)
  process.exitCode = findExceeded(figures).length > 0 ? 1 : 0
}
