/**
 * Native code in one broker, beside a control: no other broker ends, and no request of another pod fails. These are the limits that
 * each kernel has; test/vm has those of cgroup v2.
 */
import { chmodSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { createFolder } from '../../fixtures/folder.ts'
import { hasNoCompiler } from '../../fixtures/native.ts'
import { reasonToSkip } from '../../redirect/namespace.ts'
import { compileAttacks, type HostileNode, startHostileNode } from './hostile.ts'

const HOLD_MS = 1000

describe.skipIf(hasNoCompiler || reasonToSkip() !== undefined)('native code in a broker', () => {
  const folder = createFolder()
  let node: HostileNode
  beforeAll(async () => {
    chmodSync(folder.path, 0o755)
    const program = folder.file('attacks')
    compileAttacks(program)
    node = await startHostileNode({ program })
    const { calls, p99Ms } = await node.watchNeighbour(() => sleep(HOLD_MS))
    process.stdout.write(`alone: ${calls} requests, p99 ${JSON.stringify(p99Ms)} ms\n`)
  }, 120_000)
  afterAll(async () => {
    await node[Symbol.asyncDispose]()
    folder[Symbol.dispose]()
  })

  /** Runs it. The neighbour must not notice. Returns what it reached, and whether that broker ended. */
  async function attack(name: string) {
    const { result, calls, p99Ms, ...neighbour } = await node.watchNeighbour(() =>
      node.attackIn(name, name, () => sleep(HOLD_MS)),
    )
    const p99 = JSON.stringify(p99Ms)
    process.stdout.write(`${name}: ${result.reached}; ${calls} requests, p99 ${p99} ms\n`)
    expect(neighbour).toEqual({ failed: [], areBrokersSame: true })
    return result
  }

  test.each([
    ['memory', 'MiB of data', 800],
    ['tables', 'MiB of addresses', 16 * 1024],
    ['pipes', 'MiB in pipes', 100],
    ['connections', 'connections', 4096],
  ])(
    'takes %s up to its limit, in %s',
    async (name, _, limit) => {
      const { reached } = await attack(name)
      expect(reached).toBeGreaterThan(0)
      expect(reached).toBeLessThan(limit)
    },
    120_000,
  )

  test('has no network, and connects nothing that it was given', async () => {
    expect(await attack('network')).toMatchObject({ reached: 0 })
  }, 120_000)

  test.each(['messages', 'log'])(
    'waits when it floods the agent with %s',
    async (name) => {
      const { reached, ended } = await attack(name)
      expect(reached).toBeGreaterThan(0)
      expect(ended).toBe(false)
    },
    120_000,
  )
})
