/** Thundering herds: many callers at once of one resource that is not cached, and of several. */
import { Agent } from 'node:http'
import { createSimulator, type Simulator } from '../src/tools/simulator/simulator.ts'
import { runCallers, failed, firstAnswer, slowestMs, timed } from './callers.ts'
import { atMost, type Figure } from './figures.ts'
import { type Server, SIMULATED, startIncumbent, startSidecar } from './processes.ts'

const CALLERS = 200
const RESOURCES = 8
const ENTRA_MS = 100
const ANY_RESOURCE = {
  appId: '00000000-0000-4000-8000-000000000000',
  identifiers: ['*'],
  tokenVersion: 1 as const,
}

/** Measures a sidecar, and the baseline with as many callers. */
export async function measureHerds(
  baseline: Server,
  incumbent: string | undefined,
): Promise<readonly Figure[]> {
  await using simulator = await createSimulator(SIMULATED)
  simulator.directory.resources.push(ANY_RESOURCE)
  const sidecar = await startSidecar(simulator)
  const other = incumbent === undefined ? undefined : await startIncumbent(incumbent, simulator)
  try {
    await firstAnswer(sidecar.tokenUrl())
    if (other !== undefined) await firstAnswer(other.tokenUrl())
    simulator.faults.set([{ kind: 'delay', ms: ENTRA_MS }])
    return [
      ...(await herd(simulator, sidecar, baseline)),
      ...(await contention(sidecar, baseline, other)),
    ]
  } finally {
    await Promise.all([sidecar.stop(), other?.stop()])
  }
}

async function herd(
  simulator: Simulator,
  sidecar: Server,
  baseline: Server,
): Promise<readonly Figure[]> {
  simulator.log.clear()
  const size = { callers: CALLERS, each: 1 }
  const answers = await runCallers(sidecar.tokenUrl('https://herd.example'), size)
  if (failed(answers) > 0) throw new Error(`${failed(answers)} callers of the herd got no token`)
  const bare = slowestMs(await runCallers(baseline.tokenUrl(), size))
  const name = `${CALLERS} callers of one new resource, Entra ID at ${ENTRA_MS} ms`
  return [
    { name: `${name}: exchanges`, unit: '', wimds: simulator.exchanges(), bar: atMost(1, '') },
    { name: 'the same: slowest', unit: 'ms', wimds: slowestMs(answers), bare },
  ]
}

async function contention(
  sidecar: Server,
  baseline: Server,
  other: Server | undefined,
): Promise<readonly Figure[]> {
  const wimds = await allAtOnce(sidecar)
  const bare = await allAtOnce(baseline)
  const name = `${RESOURCES} new resources at once, Entra ID at ${ENTRA_MS} ms`
  const incumbent = other && { incumbent: await allAtOnce(other) }
  return [{ name, unit: 'ms', wimds, bare, ...incumbent, bar: atMost(300, 'ms') }]
}

async function allAtOnce(server: Server): Promise<number> {
  const agent = new Agent({ keepAlive: true })
  try {
    const urls = Array.from({ length: RESOURCES }, (_, index) =>
      server.tokenUrl(`https://resource-${index}.example`),
    )
    const answers = await Promise.all(urls.map((url) => timed(url, agent)))
    if (failed(answers) > 0) throw new Error(`${failed(answers)} of the resources got no token`)
    return slowestMs(answers)
  } finally {
    agent.destroy()
  }
}
