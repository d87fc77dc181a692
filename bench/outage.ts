/** Entra ID fails in three ways while a token is held, and in the slowest of them while none is. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { FaultInput } from '../src/simulator/faults/faults.ts'
import { createSimulator, type Simulator } from '../src/simulator/simulator.ts'
import { crowd, failed, firstAnswer, slowestMs, timed } from './callers.ts'
import { atMost, type Figure } from './figures.ts'
import { type Server, startSidecar } from './processes.ts'

const CROWD = { callers: 4, each: 36 } as const
/** Tokens that are due for renewal every second, so that the outage meets renewals. */
const DUE_AT_ONCE: FaultInput = { kind: 'lifetime', expiresInSeconds: 3600, refreshInSeconds: 1 }
const UNTIL_RENEWAL_FAILS_MS = 2500

interface Outage {
  readonly name: string
  readonly begin: (world: Simulator) => Promise<void>
}

const OUTAGES: readonly Outage[] = [
  {
    name: 'Entra ID answers 503',
    begin: async ({ faults }) => faults.set([DUE_AT_ONCE, { kind: 'unavailable' }]),
  },
  {
    name: 'Entra ID never answers',
    begin: async ({ faults }) => faults.set([DUE_AT_ONCE, { kind: 'hang' }]),
  },
  { name: 'Entra ID refuses connections', begin: (world) => world.close() },
]

/** Each outage beside `floor`, which has no Entra ID to lose. */
export async function outages(floor: Server): Promise<readonly Figure[]> {
  const figures: Figure[] = []
  for (const outage of OUTAGES) figures.push(...(await held(outage, floor)))
  return figures
}

async function held({ name, begin }: Outage, floor: Server): Promise<readonly Figure[]> {
  // Its own place for files: the projected token outlives the world that is closed.
  const stateDir = await mkdtemp(join(tmpdir(), 'wimds-bench-'))
  const world = await createSimulator({ stateDir })
  world.faults.set([DUE_AT_ONCE])
  const sidecar = await startSidecar(world)
  try {
    await firstAnswer(sidecar.tokenUrl())
    await begin(world)
    await sleep(UNTIL_RENEWAL_FAILS_MS)
    const answers = await crowd(sidecar.tokenUrl(), CROWD)
    const bare = slowestMs(await crowd(floor.tokenUrl(), CROWD))
    return [
      {
        name: `${name}, token held: slowest of 144`,
        unit: 'ms',
        wimds: slowestMs(answers),
        bare,
        bar: atMost(100, 'ms'),
      },
      {
        name: `${name}, token held: failed of 144`,
        unit: '',
        wimds: failed(answers),
        bar: atMost(0, ''),
      },
    ]
  } finally {
    await sidecar.stop()
    await world.close()
    await rm(stateDir, { recursive: true, force: true })
  }
}

/** The first caller pays for the time limit of the exchange, the next one hears of it at once. */
export async function nothingHeld(): Promise<readonly Figure[]> {
  await using world = await createSimulator()
  const sidecar = await startSidecar(world)
  try {
    await firstAnswer(sidecar.healthUrl)
    world.faults.set([{ kind: 'hang' }])
    const first = await timed(sidecar.tokenUrl())
    const next = await timed(sidecar.tokenUrl())
    if (first.status < 500 || next.status < 500) {
      throw new Error(`answers of ${first.status} and ${next.status} where 5xx are due`)
    }
    return [
      {
        name: 'nothing held, Entra ID never answers: honest 5xx',
        unit: 's',
        wimds: first.ms / 1000,
        bar: atMost(12, 's'),
      },
      { name: 'the same, next request', unit: 'ms', wimds: next.ms, bar: atMost(100, 'ms') },
    ]
  } finally {
    await sidecar.stop()
  }
}
