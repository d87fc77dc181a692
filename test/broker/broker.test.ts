import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { createServer, type Server } from 'node:net'
import { setImmediate as nextTurn } from 'node:timers/promises'
import { expect, test, vi } from 'vitest'
import { createBroker } from '../../src/broker/broker.ts'
import { createExchangeStack } from '../../src/broker/exchange-stack.ts'
import { loadConfig } from '../../src/broker/config/config.ts'
import { createAssertionReader } from '../../src/broker/exchange/assertion.ts'
import { createMetadataPort, type Pod } from '../../src/broker/server/app.ts'
import { createGuard } from '../../src/broker/server/guard.ts'
import type { SocketHandle } from '../../src/service/listen.ts'
import { createLogger } from '../../src/service/logger.ts'
import { environmentOf } from '../fixtures/served.ts'
import { createSimulator } from '../../src/tools/simulator/simulator.ts'
import { openConnection, request, roundTrip, TOKEN } from '../fixtures/connection.ts'
import { portOf } from '../fixtures/listening.ts'
import { identitiesOf } from '../fixtures/parts.ts'

const log = createLogger({ level: 'silent', out: { write: () => true } })

const ENVIRONMENT = {
  AZURE_CLIENT_ID: '11111111-1111-4111-8111-111111111111',
  AZURE_TENANT_ID: '22222222-2222-4222-8222-222222222222',
  AZURE_FEDERATED_TOKEN_FILE: '/nowhere/token',
  NODE_TLS_REJECT_UNAUTHORIZED: '0',
}

test('warns of a failed reload until one succeeds, and of the settings', async () => {
  const config = await loadConfig(ENVIRONMENT)
  const broker = createBroker({
    config,
    readAssertion: createAssertionReader(),
    createSource: createExchangeStack(config),
    log,
  })
  const warnings = () => broker.telemetry.document([]).warnings
  const [ofSettings, ...others] = warnings()
  expect(ofSettings).toContain('NODE_TLS_REJECT_UNAUTHORIZED=0 has no effect')
  expect(others).toEqual([])
  for (const problem of ['the first', 'the second']) {
    broker.telemetry.onReload(problem)
    expect(warnings()).toEqual([ofSettings, problem])
  }
  broker.telemetry.onReload(undefined)
  expect(warnings()).toEqual([ofSettings])
  broker.close()
})

test('logs why a reload has failed, with the stack of an unexpected error', async () => {
  const config = await loadConfig(ENVIRONMENT)
  const logged: unknown[] = []
  const broker = createBroker({
    config,
    readAssertion: createAssertionReader(),
    createSource: createExchangeStack(config),
    log: createLogger({
      level: 'info',
      out: { write: (line) => logged.push(JSON.parse(line)) > 0 },
    }),
  })
  broker.rejectConfig(new TypeError('directory is undefined'))
  expect(logged).toMatchObject([
    {
      event: 'config_reload_failed',
      code: 'internal',
      cause: expect.stringMatching(/TypeError: directory is undefined\n +at /),
    },
  ])
  broker.close()
})

test('limits the exchanges of all brokers that run and wait, after their callers have hung up too', async () => {
  const config = await loadConfig({ ...ENVIRONMENT, WIMDS_MAX_CONNECTIONS: '4' })
  const failed: unknown[] = []
  const parts = {
    config,
    readAssertion: () => new Promise<never>(() => {}),
    createSource: createExchangeStack(config),
    log: createLogger({
      level: 'warn',
      out: { write: (line) => failed.push(JSON.parse(line)) > 0 },
    }),
  }
  const [first, second] = [createBroker(parts), createBroker(parts)]
  for (let scope = 1; scope <= 29; scope += 1) {
    const pod = (scope <= 15 ? first : second).createPod(String(scope))
    const identity = pod.identities.resolve({ by: 'default' })
    pod.tokens({ identity, scope: String(scope) }, () => AbortSignal.abort()).catch(() => {})
    await nextTurn()
  }
  // Three quarters of the 32 run, and three quarters of the connections wait.
  const overloaded = expect.objectContaining({
    event: 'exchange_failed',
    code: 'overloaded',
    message: expect.stringContaining('too many exchanges with Entra ID are running'),
  })
  // They reach the limit when MSAL is loaded.
  await vi.waitFor(() => expect(failed).toEqual([overloaded, overloaded]), 60_000)
  first.close()
  second.close()
})

/** Opens a socket that already listens, as another process may hand one over. */
async function openSocket(): Promise<Server> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  return server
}

/** Takes the handle of a socket, as a message of another process brings it. */
const handleOf = (server: Server): SocketHandle => Reflect.get(server, '_handle')

async function ask(port: number, host = 'localhost') {
  const { body } = await roundTrip(port, request(TOKEN, { headers: { Host: host } }))
  return JSON.parse(body)
}

test('serves pods on sockets and assertions that are given, each with its own identities, guard and cap', async () => {
  await using simulator = await createSimulator()
  const assertion = readFileSync(simulator.tokenFile, 'utf8')
  const names: string[] = []
  const config = await loadConfig({
    ...environmentOf(simulator),
    AZURE_FEDERATED_TOKEN_FILE: '/no-file/pod-1',
  })
  const readAssertion = createAssertionReader({
    readFile: (name) => {
      names.push(name)
      return Promise.resolve(assertion)
    },
  })
  const broker = createBroker({
    config,
    readAssertion,
    createSource: createExchangeStack(config),
    log,
  })
  const pod = broker.createPod('1')
  const sockets = [await openSocket(), await openSocket()] as const
  const [port, otherPort] = [portOf(sockets[0]), portOf(sockets[1])]
  const statuses: number[] = []
  const identities = identitiesOf()
  const other: Pod = {
    ...broker.createPod('2'),
    maxConnections: 1,
    guard: createGuard(['other.test']),
    identities,
    onReply: ({ status }) => statuses.push(status),
  }
  const listen = createMetadataPort()
  const listeners = [
    await listen(pod, [handleOf(sockets[0])]),
    await listen(other, [handleOf(sockets[1])]),
  ]

  const { access_token: token } = await ask(port)
  expect(token).toEqual(expect.any(String))
  expect(names).toContain('/no-file/pod-1')
  expect(await ask(port, 'other.test')).toMatchObject({
    error_description: expect.stringContaining('is not one of this service'),
  })
  expect(await ask(otherPort, 'other.test')).toMatchObject({
    error_description: 'Identity not found',
  })

  // Pods with the same identity share its token.
  Object.assign(identities, pod.identities)
  expect(await ask(otherPort)).toMatchObject({ access_token: token })
  expect(simulator.exchanges()).toBe(1)
  expect(statuses).toEqual([400, 200])

  await using first = await openConnection(otherPort)
  await using unaffected = await openConnection(port)
  await using second = await openConnection(otherPort)
  await first.closed()
  expect([unaffected.isClosed(), second.isClosed()]).toEqual([false, false])

  for (const { close } of listeners) await close(0)
  broker.close()
})
