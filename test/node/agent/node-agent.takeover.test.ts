/** A broker that was taken over: a program of this test in the place of the broker of one namespace, beside another one. */
import { execFileSync } from 'node:child_process'
import { chmodSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { createFolder } from '../../fixtures/folder.ts'
import { podNetwork, reasonToSkip } from '../../redirect/namespace.ts'
import { nodeModePod, SETTINGS, TOKEN_DIRECTORY } from './pods.ts'
import { CHANNELS } from './program.ts'
import { findBrokers, startAgent, startApi, TestNode } from './test-node.ts'

const reason = reasonToSkip()

/** A program that tries to read the agent and another broker once it has its first pod. Prints the results as a line. */
const PROGRAM = `${CHANNELS}
  const { openSync, readdirSync, readFileSync, readlinkSync } = require('node:fs')
  const { spawnSync } = require('node:child_process')
  const { victim, agent, hidden, victimUid, ownUid, token } = JSON.parse(readFileSync(__dirname + '/knowledge.json'))
  const attempt = (run) => { try { return run() ?? 'done' } catch ({ code }) { return code } }
  const answers = new Map()
  const read = (id, uid) => new Promise((resolve) => {
    answers.set(id, resolve)
    send({ type: 'ask', id, question: { about: 'file', uid, path: '${TOKEN_DIRECTORY}/token' } })
  })
  const linkOf = (fd) => attempt(() => readlinkSync('/proc/self/fd/' + fd))
  async function attack() {
    const results = {
      signal: attempt(() => process.kill(victim, 0)),
      signalOfAgent: attempt(() => process.kill(agent, 'SIGKILL')),
      memory: attempt(() => openSync('/proc/' + victim + '/mem')),
      environment: attempt(() => openSync('/proc/' + agent + '/environ')),
      descriptors: attempt(() => readdirSync('/proc/' + victim + '/fd')),
      root: attempt(() => readdirSync('/proc/' + agent + '/root')),
      user: attempt(() => process.setuid(0)),
      child: spawnSync(process.execPath).error?.code,
      hidden: hidden.map((path) => attempt(() => readdirSync(path))),
      file: attempt(() => readFileSync(token)),
      open: readdirSync('/proc/self/fd').map(linkOf).filter((path) => path.startsWith('/') && !path.startsWith('/dev/')),
      ownToken: await read(1, ownUid),
      othersToken: await read(2, victimUid),
    }
    console.log(JSON.stringify({ event: 'takeover', results }))
  }
  onMessage(({ type, pod, id, answer }) => {
    if (type === 'answer') answers.get(id)(answer.text ?? answer.code)
    if (type !== 'serve') return
    // Without effect.
    send({ type: 'pod', uid: victimUid, state: 'failed', problem: 'an attack' })
    attack()
  })
  send({ type: 'ready' })
`

/** Mounts an empty file system there until the end of the stack. */
function mount(path: string, stack: DisposableStack): void {
  execFileSync('mount', ['-t', 'tmpfs', 'none', path])
  stack.defer(() => execFileSync('umount', [path]))
}

test.skipIf(reason !== undefined)(
  'a broker that was taken over reaches neither the agent nor another broker, and no file of another namespace',
  async () => {
    using node = new TestNode()
    using mounts = new DisposableStack()
    chmodSync(node.root, 0o755)
    const hidden = [node.pods, node.state, node.results, node.bundles, node.netns]
    for (const path of hidden) mount(path, mounts)
    using folder = createFolder()
    chmodSync(folder.path, 0o755)
    const program = folder.write('broker.cjs', PROGRAM)
    // The file is there when the second broker starts.
    node.replaceBroker(folder.file('knowledge.json'), `${process.execPath} ${program}`)
    const [token] = ['victim', 'own'].map((uid) => node.writeToken(uid, `token of ${uid}`))
    using victimNetwork = await podNetwork('10.9.0.2')
    using ownNetwork = await podNetwork('10.9.0.3')
    node.keep(victimNetwork, 'victim')
    node.keep(ownNetwork, 'own')
    await using api = await startApi(nodeModePod({ uid: 'victim', settings: SETTINGS }))
    using mountOfApi = new DisposableStack()
    const access = process.env['KUBERNETES_API_ACCESS'] ?? ''
    hidden.push(access)
    const files = readdirSync(access).map((name) => join(access, name))
    const contents = files.map((file) => [file, readFileSync(file)] as const)
    for (const file of files) rmSync(file)
    chmodSync(access, 0o755)
    mount(access, mountOfApi)
    for (const [file, content] of contents) writeFileSync(file, content)
    await using agent = startAgent(node)
    await agent.logged('pod_routed')
    const [victim] = findBrokers(agent.pid)
    const [victimUid, ownUid] = ['victim', 'own']
    const known = { victim, agent: agent.pid, hidden, victimUid, ownUid, token }
    folder.write('knowledge.json', known)
    const own = nodeModePod({ uid: 'own', namespace: 'hostile', settings: SETTINGS })
    await api.send('ADDED', own)
    await agent.logged('takeover')
    const line = agent.events().find(({ event }) => event === 'takeover')
    expect(line).toMatchObject({
      broker: 'of the namespace hostile',
      results: {
        signal: 'EPERM',
        signalOfAgent: 'EPERM',
        memory: 'EACCES',
        environment: 'EACCES',
        descriptors: 'EACCES',
        root: 'EACCES',
        user: 'EPERM',
        child: 'EPERM',
        hidden: hidden.map(() => []),
        file: 'ENOENT',
        open: [],
        ownToken: 'token of own',
        othersToken: 'ENOENT',
      },
    })
    expect(agent.events().filter(({ event }) => event === 'pod_not_routed')).toEqual([])
    expect(findBrokers(agent.pid)).toContain(victim)
  },
  120_000,
)
