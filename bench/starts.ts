/** Measures the time from exec to the first healthy answer, and to the first token. */
import type { Simulator } from '../src/tools/simulator/simulator.ts'
import { type Answer, firstAnswer, timed } from './callers.ts'
import { type Figure, median, times } from './figures.ts'
import { type Server, startBaseline, startSidecar } from './processes.ts'

/** With fifteen starts the median varied by a tenth from run to run, which can be the whole distance to a bar. */
const STARTS = 31

interface Start {
  readonly healthyMs: number
  readonly tokenMs: number
}

/** Starts both servers in turn. The first start of each fills the file cache and does not count. */
export async function starts(simulator: Simulator): Promise<readonly Figure[]> {
  const answer = await requestAnswer(simulator)
  const sidecars: Start[] = []
  const baselines: Start[] = []
  for (let time = 0; time <= STARTS; time += 1) {
    sidecars.push(await start(() => startSidecar(simulator)))
    baselines.push(await start(() => startBaseline(answer)))
  }
  const medians = (of: (start: Start) => number) => ({
    wimds: median(sidecars.slice(1).map(of)),
    bare: median(baselines.slice(1).map(of)),
  })
  const healthy = medians(({ healthyMs }) => healthyMs)
  const token = { ...medians(({ tokenMs }) => tokenMs), bare: healthy.bare }
  return [
    { name: 'exec → healthy', unit: 'ms', ...healthy, bar: times(1.6, healthy.bare) },
    { name: 'exec → first token', unit: 'ms', ...token, bar: times(2, token.bare) },
  ]
}

/** Returns an answer of a sidecar, which a bare server can repeat. */
export async function requestAnswer(simulator: Simulator): Promise<Answer> {
  const sidecar = await startSidecar(simulator)
  try {
    return await firstAnswer(sidecar.tokenUrl)
  } finally {
    await sidecar.stop()
  }
}

async function start(launch: () => Promise<Server>): Promise<Start> {
  const server = await launch()
  const { startedAt } = server
  try {
    await firstAnswer(server.healthUrl)
    const healthyMs = performance.now() - startedAt
    const { status } = await timed(server.tokenUrl)
    if (status !== 200) throw new Error(`the first token request got ${status}`)
    return { healthyMs, tokenMs: performance.now() - startedAt }
  } finally {
    await server.stop()
  }
}
