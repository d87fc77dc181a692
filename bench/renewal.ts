/** Refreshes in the background: every three seconds, at a slow Entra ID. */
import { Agent } from 'node:http'
import { setTimeout as sleep } from 'node:timers/promises'
import { createSimulator } from '../src/tools/simulator/simulator.ts'
import { failed, firstAnswer, slowestMs, timed, type Timed } from './callers.ts'
import { atLeast, atMost, type Figure } from './figures.ts'
import { startSidecar } from './processes.ts'

const SECONDS = 15
const PAUSE_MS = 10
const ENTRA_MS = 800

/** Measures one caller that asks about a hundred times a second during the refreshes. */
export async function renewal(): Promise<readonly Figure[]> {
  await using simulator = await createSimulator()
  simulator.faults.set([
    { kind: 'lifetime', expiresInSeconds: 6, refreshInSeconds: 3 },
    { kind: 'delay', ms: ENTRA_MS },
  ])
  const sidecar = await startSidecar(simulator)
  try {
    await firstAnswer(sidecar.tokenUrl())
    simulator.log.clear()
    const answers = await askRepeatedly(sidecar.tokenUrl(), SECONDS * 1000)
    if (failed(answers) > 0) throw new Error(`${failed(answers)} requests got no token`)
    const tokens = new Set(answers.map(({ body }) => findToken(body))).size
    const name = `renewed every 3 s, Entra ID at ${ENTRA_MS} ms, for ${SECONDS} s`
    return [
      { name: `${name}: slowest`, unit: 'ms', wimds: slowestMs(answers), bar: atMost(200, 'ms') },
      { name: 'the same: distinct tokens', unit: '', wimds: tokens, bar: atLeast(3) },
      { name: 'the same: exchanges', unit: '', wimds: simulator.exchanges(), bar: atMost(12, '') },
    ]
  } finally {
    await sidecar.stop()
  }
}

async function askRepeatedly(url: string, forMs: number): Promise<readonly Timed[]> {
  const agent = new Agent({ keepAlive: true })
  const endsAt = performance.now() + forMs
  const answers: Timed[] = []
  try {
    while (performance.now() < endsAt) {
      answers.push(await timed(url, agent))
      await sleep(PAUSE_MS)
    }
    return answers
  } finally {
    agent.destroy()
  }
}

const findToken = (body: string): string | undefined => /"access_token":"([^"]+)"/u.exec(body)?.[1]
