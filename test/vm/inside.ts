/** Runs in the virtual machine: starts the agent in a container of each runtime, and native code in brokers of other namespaces. */
import { deepEqual, equal, ok } from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { inspect } from 'node:util'
import { type HostileNode, startHostileNode } from '../node/agent/hostile.ts'

const CONTAINER = '/sys/fs/cgroup/pods/agent'
const MIB = 1024 * 1024
/** The memory limit of the container, as container.sh sets it. */
const LIMIT = 448 * MIB
const hold = () => sleep(10_000)
let [passed, failed] = [0, 0]
const print = (line: string) => void process.stdout.write(`${line}\n`)

async function check(name: string, run: () => void | Promise<void>): Promise<void> {
  const start = performance.now()
  try {
    await run()
    passed += 1
    print(`ok: ${name}, ${Math.round((performance.now() - start) / 1000)} s`)
  } catch (error) {
    failed += 1
    print(`failed: ${name}: ${inspect(error)}`)
  }
}

const read = (file: string) => readFileSync(`${CONTAINER}/${file}`, 'utf8')
/** Returns how many processes below the cgroup the kernel has ended for lack of memory. */
const countKilled = (cgroup: string) =>
  Number(/^oom_kill (\d+)/m.exec(read(`${cgroup}/memory.events`))?.[1])

/** Runs the attack while the neighbour's pod requests tokens. Neither the neighbour nor the agent may be affected. */
async function attack<T>(node: HostileNode, run: () => Promise<T>): Promise<T> {
  const { result, calls, p99Ms, ...neighbour } = await node.watchNeighbour(run)
  print(
    JSON.stringify({
      result,
      calls,
      p99Ms,
      peakMiB: Math.round(Number(read('memory.peak')) / MIB),
    }),
  )
  deepEqual(neighbour, { failed: [], areBrokersSame: true })
  ok(calls > 0)
  ok(Number(read('memory.peak')) < LIMIT)
  equal(countKilled('agent'), 0)
  return result
}

async function withAgent(
  runtime: string,
  run: (node: HostileNode) => Promise<void>,
): Promise<void> {
  process.env['RUNTIME'] = runtime
  await using node = await startHostileNode({ program: '/bin/attacks', launcher: ['in-container'] })
  const execute = (...command: string[]) =>
    execFileSync(runtime, ['exec', 'agent', ...command]).toString()
  await check(`${runtime}: a process that joins the container is with the agent`, () => {
    equal(execute('cat', '/proc/self/cgroup'), '0::/agent\n')
    equal(read('cgroup.procs'), '')
    equal(Number(read('brokers/memory.max')), LIMIT - 128 * MIB)
    // The memory of nft and ip, which have routed the pod.
    ok(Number(read('tools/memory.peak')) > 0)
  })
  await check(`${runtime}: a probe of the kubelet succeeds`, () => {
    const listening = node.agent.events().find(({ event, port }) => event === 'listening' && port)
    const probe = ['probe', '--live', `--port=${String(listening?.['port'])}`, '--timeout=60']
    execute(process.execPath, '/app/dist/wimds.js', ...probe)
  })
  await run(node)
}

const [runtime = '', ...others] = (process.env['RUNTIMES'] ?? '').trim().split(' ')
for (const other of others) await withAgent(other, async () => {})
await withAgent(runtime, async (node) => {
  await check('alone', () => attack(node, hold))
  await check('the kernel ends a broker that takes memory', async () => {
    const { ended } = await attack(node, () => node.attackIn('memory', 'memory', hold))
    equal(ended, true)
    ok(countKilled('brokers') > 0)
  })
  for (const name of ['tables', 'pipes', 'connections', 'cpu', 'messages', 'log']) {
    await check(`a broker takes or floods ${name}`, async () => {
      await attack(node, () => node.attackIn(name, name, hold))
    })
  }
  await check('the kernel ends one of the brokers that have too much together', async () => {
    const killed = countKilled('brokers')
    await attack(node, () =>
      node.attackIn('one', 'hold', () =>
        node.attackIn('two', 'hold', () => node.attackIn('three', 'hold', hold)),
      ),
    )
    ok(countKilled('brokers') > killed)
  })
})
print(`${passed} passed, ${failed} failed`)
