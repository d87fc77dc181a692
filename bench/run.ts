/**
 * `npm run bench`: measures wimds and a bare node:http server in one run, and prints a table. Exits with 1 if a bar is exceeded.
 * `--reference` also writes the table of docs/performance.md.
 */
import { cpus } from 'node:os'
import { parseArgs } from 'node:util'
import { reasonToSkip } from '../test/redirect/namespace.ts'
import { createSimulator } from '../src/tools/simulator/simulator.ts'
import { firstAnswer } from './callers.ts'
import { type Figure, isExceeded, type Report } from './figures.ts'
import { measureWithoutToken, outages } from './outage.ts'
import { startBaseline } from './processes.ts'
import { nodeFloods } from './node-floods.ts'
import { nodeMemory } from './node-memory.ts'
import { publish } from './publish.ts'
import { requestAnswer, starts } from './starts.ts'
import { steady } from './steady.ts'
import { heading, table, verdict } from './table.ts'

async function measured(): Promise<Report> {
  const startedAt = performance.now()
  const figures: Figure[] = []
  await using simulator = await createSimulator()
  logStep('starts')
  figures.push(...(await starts(simulator)))
  logStep('steady load')
  figures.push(...(await steady(simulator)))
  const baseline = await startBaseline(await requestAnswer(simulator))
  try {
    await firstAnswer(baseline.healthUrl)
    logStep('outages')
    figures.push(...(await outages(baseline)), ...(await measureWithoutToken()))
  } finally {
    await baseline.stop()
  }
  const reason = reasonToSkip()
  logStep(reason === undefined ? 'mode node' : `mode node is left out: ${reason}`)
  if (reason === undefined) figures.push(...(await nodeFloods()), ...(await nodeMemory()))
  const [cpu] = cpus()
  return {
    date: new Date().toISOString(),
    node: process.versions.node,
    machine: `${cpus().length} × ${cpu?.model.trim() ?? process.arch}`,
    seconds: Math.round((performance.now() - startedAt) / 1000),
    figures,
  }
}

async function bench(): Promise<number> {
  const { values } = parseArgs({ options: { reference: { type: 'boolean' } } })
  const report = await measured()
  process.stdout.write(`${heading(report)}\n\n${table(report.figures)}\n\n`)
  process.stdout.write(`${verdict(report.figures)}\n`)
  if (values.reference === true) await publish(report)
  return report.figures.some(isExceeded) ? 1 : 0
}

const logStep = (what: string) => process.stderr.write(`bench: ${what} …\n`)

for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(130))
process.exitCode = await bench()
