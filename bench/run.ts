/** `npm run bench`: measures wimds and a bare node:http server in one run, prints a table, writes JSON. */
import { mkdir, writeFile } from 'node:fs/promises'
import { cpus } from 'node:os'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { reasonToSkip } from '../test/redirect/namespace.ts'
import { createSimulator } from '../src/tools/simulator/simulator.ts'
import { firstAnswer } from './callers.ts'
import { measureHerds } from './herds.ts'
import { type Figure, findExceeded, type Report } from './figures.ts'
import { fleetTable } from './fleet/scenarios.ts'
import { measureWithoutToken, outages } from './outage.ts'
import { SIMULATED, startBaseline, startSidecar } from './processes.ts'
import { nodeFloods } from './node-floods.ts'
import { nodeMemory } from './node-memory.ts'
import { publish } from './publish.ts'
import { renewal } from './renewal.ts'
import { starts } from './starts.ts'
import { steady } from './steady.ts'
import { heading, table, verdict } from './table.ts'

const USAGE = `usage: npm run bench -- [--reference | --fleet]

  --reference  also write the table and the chart of docs/performance.md
  --fleet      print the simulation of a fleet in place of measuring

INCUMBENT=PATH measures that build of the azure-workload-identity proxy in the same run.
Exits with 1 if a bar is exceeded.
`
const { INCUMBENT } = process.env
const RESULTS = new URL('results/', import.meta.url)

async function measured(): Promise<Report> {
  const startedAt = performance.now()
  const figures: Figure[] = []
  {
    await using simulator = await createSimulator(SIMULATED)
    logStep('starts')
    figures.push(...(await starts(simulator, INCUMBENT)))
    logStep('steady load')
    figures.push(...(await steady(simulator, INCUMBENT)))
  }
  const baseline = await startBaseline(await exampleAnswer())
  try {
    await firstAnswer(baseline.healthUrl)
    logStep('outages')
    figures.push(...(await outages(baseline, INCUMBENT)), ...(await measureWithoutToken()))
    logStep('herds')
    figures.push(...(await measureHerds(baseline, INCUMBENT)))
  } finally {
    await baseline.stop()
  }
  logStep('renewal')
  figures.push(...(await renewal()))
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

async function exampleAnswer() {
  await using simulator = await createSimulator()
  const sidecar = await startSidecar(simulator)
  try {
    return await firstAnswer(sidecar.tokenUrl())
  } finally {
    await sidecar.stop()
  }
}

async function bench(args: readonly string[]): Promise<number> {
  const { values } = parseArgs({
    args: [...args],
    options: {
      reference: { type: 'boolean' },
      fleet: { type: 'boolean' },
      help: { type: 'boolean' },
    },
  })
  if (values.help === true) {
    process.stdout.write(USAGE)
    return 0
  }
  if (values.fleet === true) {
    process.stdout.write(`${fleetTable()}\n`)
    return 0
  }
  const report = await measured()
  process.stdout.write(`${heading(report)}\n\n${table(report.figures)}\n\n`)
  process.stdout.write(`${verdict(report.figures)}\n`)
  await mkdir(RESULTS, { recursive: true })
  const json = `${JSON.stringify(report, undefined, 2)}\n`
  await writeFile(new URL('latest.json', RESULTS), json)
  process.stdout.write(`JSON: ${fileURLToPath(new URL('latest.json', RESULTS))}\n`)
  if (values.reference === true) await publish(report)
  return findExceeded(report.figures).length > 0 ? 1 : 0
}

const logStep = (what: string) => process.stderr.write(`bench: ${what} …\n`)

for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(130))
process.exitCode = await bench(process.argv.slice(2))
