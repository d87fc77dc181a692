/** Outages of Entra ID: three kinds with a cached token, and the slowest of them without one. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { FaultInput } from '../src/tools/simulator/faults/faults.ts'
import { createSimulator, type Simulator } from '../src/tools/simulator/simulator.ts'
import { runCallers, failed, firstAnswer, slowestMs, timed } from './callers.ts'
import { atMost, type Figure } from './figures.ts'
import { type Server, startSidecar } from './processes.ts'

const CROWD = { callers: 4, each: 36 } as const
/** Tokens that are due for a refresh after half of this, so that refreshes fail during the outage. */
const SHORT_LIFETIME: FaultInput = {
  kind: 'lifetime',
  expiresInSeconds: 20,
  refreshInSeconds: 10,
}
const UNTIL_REFRESH_FAILS_MS = 11_500

interface Outage {
  readonly name: string
  readonly begin: (simulator: Simulator) => Promise<unknown>
}

const OUTAGES: readonly Outage[] = [
  {
    name: 'Entra ID answers 503',
    begin: async ({ faults }) => faults.set([SHORT_LIFETIME, { kind: 'unavailable' }]),
  },
  {
    name: 'Entra ID never answers',
    begin: async ({ faults }) => faults.set([SHORT_LIFETIME, { kind: 'hang' }]),
  },
  { name: 'Entra ID refuses connections', begin: (simulator) => simulator.close() },
]

/** Measures each outage, and the baseline, which does not depend on Entra ID. */
export async function outages(baseline: Server): Promise<readonly Figure[]> {
  const figures: Figure[] = []
  for (const outage of OUTAGES) figures.push(...(await measureCached(outage, baseline)))
  figures.push(await measureRequestedOnce())
  return figures
}

/** Requests a token once, starts an outage 5 s before the token expires, and measures callers after its expiry. */
async function measureRequestedOnce(): Promise<Figure> {
  await using simulator = await createSimulator()
  simulator.faults.set([SHORT_LIFETIME])
  const sidecar = await startSidecar(simulator)
  try {
    await firstAnswer(sidecar.tokenUrl)
    await sleep(15_000)
    simulator.faults.set([SHORT_LIFETIME, { kind: 'unavailable' }])
    await sleep(6000)
    return {
      name: 'Entra ID answers 503 when a token requested once expires: failed of 144',
      unit: '',
      wimds: failed(await runCallers(sidecar.tokenUrl, CROWD)),
      bar: atMost(0, ''),
    }
  } finally {
    await sidecar.stop()
  }
}

async function measureCached(
  { name, begin }: Outage,
  baseline: Server,
): Promise<readonly Figure[]> {
  // The simulator gets a folder of this function, so that the projected token is still there after the simulator closes.
  const stateDir = await mkdtemp(join(tmpdir(), 'wimds-bench-'))
  const simulator = await createSimulator({ stateDir })
  simulator.faults.set([SHORT_LIFETIME])
  const sidecar = await startSidecar(simulator)
  try {
    await firstAnswer(sidecar.tokenUrl)
    await begin(simulator)
    await sleep(UNTIL_REFRESH_FAILS_MS)
    const answers = await runCallers(sidecar.tokenUrl, CROWD)
    const bare = slowestMs(await runCallers(baseline.tokenUrl, CROWD))
    return [
      {
        name: `${name}, token cached: slowest of 144`,
        unit: 'ms',
        wimds: slowestMs(answers),
        bare,
        bar: atMost(100, 'ms'),
      },
      {
        name: `${name}, token cached: failed of 144`,
        unit: '',
        wimds: failed(answers),
        bar: atMost(0, ''),
      },
    ]
  } finally {
    await sidecar.stop()
    await simulator.close()
    await rm(stateDir, { recursive: true, force: true })
  }
}

/** Measures the first caller, who waits for the time limit, and the next one, who gets the cached failure. */
export async function measureWithoutToken(): Promise<readonly Figure[]> {
  await using simulator = await createSimulator()
  const sidecar = await startSidecar(simulator)
  try {
    await firstAnswer(sidecar.healthUrl)
    simulator.faults.set([{ kind: 'hang' }])
    const first = await timed(sidecar.tokenUrl)
    const next = await timed(sidecar.tokenUrl)
    if (first.status < 500 || next.status < 500) {
      throw new Error(`answers of ${first.status} and ${next.status} where 5xx are due`)
    }
    return [
      {
        name: 'no token, Entra ID never answers: first 5xx',
        unit: 's',
        wimds: first.ms / 1000,
        bar: atMost(8.5, 's'),
      },
      {
        name: 'the same, next request',
        unit: 's',
        // wimds lets a caller who asks again wait for another attempt, since Entra ID may be back.
        wimds: next.ms / 1000,
        bar: atMost(8.5, 's'),
      },
    ]
  } finally {
    await sidecar.stop()
  }
}
