import { once } from 'node:events'
import { connect as connectSocket, createServer, Socket } from 'node:net'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { createConnect } from '../../src/lib/connect.ts'
import type { Address } from '../../src/lib/connect-error.ts'
import { listening } from '../fixtures/listening.ts'

/** The behaviour of an address: it accepts, refuses at once, has no route, or drops packets. */
type Behaviour = 'accepts' | 'refuses' | 'no route' | 'silent'

const address = (text: string): Address => ({
  address: text,
  family: text.includes(':') ? 6 : 4,
})

/** Returns addresses of one behaviour: `ipv6('silent', 8)`. */
const ipv6 = (does: Behaviour, count = 1) => list(does, count, 'fd00::')
const ipv4 = (does: Behaviour, count = 1) => list(does, count, '10.0.0.')

function list(does: Behaviour, count: number, prefix: string): [string, Behaviour][] {
  return Array.from({ length: count }, (_, index) => [`${prefix}${index + 1}`, does])
}

let server: Awaited<ReturnType<typeof listening>>
beforeEach(async () => {
  server = await listening(createServer())
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
})
afterEach(async () => {
  vi.useRealTimers()
  await server[Symbol.asyncDispose]()
})

/** Creates a host with these addresses. Their sockets are real, and connect to the server or to nothing. */
function createHost(...behaviours: readonly (readonly [string, Behaviour])[]) {
  const does = new Map(behaviours)
  const tried: string[] = []
  const sockets: Socket[] = []
  const clock = { now: 0 }
  const connect = createConnect({
    now: () => clock.now,
    lookup: () => Promise.resolve(behaviours.map(([text]) => address(text))),
    open: ({ host }) => {
      tried.push(host)
      const socket = openSocket(does.get(host))
      sockets.push(socket)
      return socket
    },
  })
  return {
    tried,
    sockets,
    clock,
    connect: (signal = new AbortController().signal) =>
      connect({ host: 'login.example', port: 443 }, signal),
  }
}

function openSocket(does: Behaviour | undefined): Socket {
  if (does === 'accepts') return connectSocket(server.port, '127.0.0.1')
  const socket = new Socket()
  if (does === 'silent') return socket
  const code = does === 'refuses' ? 'ECONNREFUSED' : 'ENETUNREACH'
  return socket.destroy(Object.assign(new Error(code), { code }))
}

/** Waits until everything has happened that needs no time. */
const settle = () => vi.advanceTimersByTimeAsync(0)
const keep = (error: unknown) => error

describe('a connection', () => {
  test.each([
    ['the first address', [...ipv6('accepts'), ...ipv4('accepts')], ['fd00::1']],
    [
      'IPv4 at once, whatever the number of IPv6 addresses',
      [...ipv6('no route', 8), ...ipv4('accepts', 8)],
      ['fd00::1', '10.0.0.1'],
    ],
    ['IPv6 if IPv4 refuses', [...ipv4('refuses', 2), ...ipv6('accepts')], ['10.0.0.1', 'fd00::1']],
  ])('is made to %s, without a delay', async (_, addresses, tried) => {
    const host = createHost(...addresses)
    const socket = await host.connect()
    expect(socket.remotePort).toBe(server.port)
    expect(host.tried).toEqual(tried)
    expect(vi.getTimerCount()).toBe(0)
    socket.destroy()
  })

  test('is tried to one more address every 250 ms, while the earlier attempts continue and may win', async () => {
    const host = createHost(...ipv6('silent', 8), ...ipv4('silent', 8))
    const connecting = host.connect()
    await vi.advanceTimersByTimeAsync(249)
    expect(host.tried).toEqual(['fd00::1'])
    await vi.advanceTimersByTimeAsync(251)
    expect(host.tried).toEqual(['fd00::1', '10.0.0.1', 'fd00::2'])
    host.sockets[0]?.connect(server.port, '127.0.0.1')
    expect(await connecting).toBe(host.sockets[0])
    expect(host.sockets.map(({ destroyed }) => destroyed)).toEqual([false, true, true])
    expect(vi.getTimerCount()).toBe(0)
    ;(await connecting).destroy()
  })

  test('is tried first to the address family that won before, for ten minutes', async () => {
    const host = createHost(...ipv6('silent'), ...ipv4('accepts'))
    const first = host.connect()
    await vi.advanceTimersByTimeAsync(250)
    ;(await first).destroy()
    host.tried.length = 0
    ;(await host.connect()).destroy()
    expect(host.tried).toEqual(['10.0.0.1'])
    host.clock.now += 10 * 60_000 + 1
    host.tried.length = 0
    host.connect().catch(keep)
    await settle()
    expect(host.tried).toEqual(['fd00::1'])
  })

  test('keeps no listeners of the attempts', async () => {
    const socket = await createHost(...ipv4('accepts')).connect()
    const error = new Error('reset')
    const failed = once(socket, 'error').catch(keep)
    socket.destroy(error)
    expect(await failed).toEqual([error])
    expect(socket.listenerCount('connect')).toBe(0)
  })
})

describe('without a connection', () => {
  test('the error counts the addresses that refuse and that have no route', async () => {
    const host = createHost(...ipv6('no route', 2), ...ipv4('refuses', 3))
    const reason = '2 IPv6 addresses failed (ENETUNREACH), 3 IPv4 addresses failed (ECONNREFUSED)'
    await expect(host.connect()).rejects.toMatchObject({
      code: 'ECONNREFUSED',
      reason,
      message: `cannot connect to login.example:443: ${reason}`,
    })
    expect(vi.getTimerCount()).toBe(0)
  })

  test('after the time limit the error counts the addresses that were silent, and all sockets are closed', async () => {
    const host = createHost(...ipv6('no route', 8), ...ipv4('silent', 30))
    const limit = new AbortController()
    const connecting = host.connect(limit.signal).catch(keep)
    await vi.advanceTimersByTimeAsync(4000)
    limit.abort(new DOMException('The time limit has passed', 'TimeoutError'))
    expect(await connecting).toMatchObject({
      code: 'ETIMEDOUT',
      reason: '8 IPv6 addresses failed (ENETUNREACH), 17 IPv4 addresses did not answer',
    })
    expect(host.sockets.every(({ destroyed }) => destroyed)).toBe(true)
    expect(vi.getTimerCount()).toBe(0)
  })

  test('an abort throws its reason, and closes all sockets', async () => {
    const host = createHost(...ipv4('silent', 3))
    const caller = new AbortController()
    const connecting = host.connect(caller.signal).catch(keep)
    await vi.advanceTimersByTimeAsync(300)
    caller.abort(new Error('enough'))
    expect(await connecting).toEqual(new Error('enough'))
    expect(host.sockets.map(({ destroyed }) => destroyed)).toEqual([true, true])
    expect(vi.getTimerCount()).toBe(0)
    await expect(host.connect(caller.signal)).rejects.toThrow('enough')
    expect(host.tried).toHaveLength(2)
  })
})

describe('the look-up', () => {
  const login = { host: 'login.example', port: 443 }
  const never = new Promise<never>(() => {})

  test('that hangs is shared, and the error says that the name was not resolved in time', async () => {
    const families: number[] = []
    const connect = createConnect({
      lookup: (_, family) => {
        families.push(family)
        return never
      },
    })
    const limit = new AbortController()
    const all = Promise.all([1, 2, 3].map(() => connect(login, limit.signal).catch(keep)))
    await vi.advanceTimersByTimeAsync(2000)
    limit.abort(new DOMException('The time limit has passed', 'TimeoutError'))
    for (const error of await all) {
      expect(error).toMatchObject({
        code: 'ETIMEDOUT',
        reason: 'login.example was not resolved in time',
      })
    }
    expect(families).toEqual([0, 4])
    expect(vi.getTimerCount()).toBe(0)
  })

  test('that is slow does not leave out the IPv6 addresses of a network without IPv4', async () => {
    const tried: string[] = []
    const slow = Promise.withResolvers<readonly Address[]>()
    const connect = createConnect({
      lookup: (_, family) => (family === 4 ? Promise.resolve([address('10.0.0.1')]) : slow.promise),
      open: ({ host }) => {
        tried.push(host)
        return openSocket(host === 'fd00::1' ? 'accepts' : 'no route')
      },
    })
    const connecting = connect(login, new AbortController().signal)
    await vi.advanceTimersByTimeAsync(1000)
    slow.resolve([address('10.0.0.1'), address('fd00::1')])
    expect((await connecting).destroy().destroyed).toBe(true)
    expect(tried).toEqual(['10.0.0.1', 'fd00::1'])
  })

  test('that is slow and finds IPv4 addresses only does not hide their failure', async () => {
    const slow = Promise.withResolvers<readonly Address[]>()
    const connect = createConnect({
      lookup: (_, family) => (family === 4 ? Promise.resolve([address('10.0.0.1')]) : slow.promise),
      open: () => openSocket('refuses'),
    })
    const connecting = connect(login, new AbortController().signal).catch(keep)
    await vi.advanceTimersByTimeAsync(1000)
    slow.resolve([address('10.0.0.1')])
    expect(await connecting).toMatchObject({ code: 'ECONNREFUSED' })
  })
})

test('a thousand connections leave no timer, listener or socket', async () => {
  const host = createHost(...ipv6('no route', 2), ...ipv4('accepts'))
  const silent = createHost(...ipv4('silent'))
  for (let count = 0; count < 500; count += 1) {
    const { signal } = new AbortController()
    const add = vi.spyOn(signal, 'addEventListener')
    const remove = vi.spyOn(signal, 'removeEventListener')
    ;(await host.connect(signal)).destroy()
    expect(remove).toHaveBeenCalledTimes(add.mock.calls.length)

    const caller = new AbortController()
    const connecting = silent.connect(caller.signal).catch(keep)
    if (count % 2 === 0) await settle()
    caller.abort()
    await connecting
  }
  await settle()
  const sockets = [...host.sockets, ...silent.sockets]
  expect(sockets.filter(({ destroyed }) => !destroyed)).toEqual([])
  expect(vi.getTimerCount()).toBe(0)
})
