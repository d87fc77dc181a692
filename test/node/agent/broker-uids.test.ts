import { symlinkSync } from 'node:fs'
import { expect, test } from 'vitest'
import { BrokerUids } from '../../../src/node/agent/broker-uids.ts'
import { createFolder } from '../../fixtures/folder.ts'

const NONE: ReadonlySet<number> = new Set()

function setUp({ size = 3, used = [] as readonly string[] } = {}) {
  const folder = createFolder()
  const range = { first: 7000, last: 6999 + size }
  const create = () =>
    new BrokerUids({
      range,
      stateDirectory: folder.file('state'),
      isUsed: (name) => used.includes(name),
    })
  const file = (name: string) => folder.file(`state/${name}`)
  return { create, file, [Symbol.dispose]: () => folder[Symbol.dispose]() }
}

test('each name has a uid of its own, which another agent finds', () => {
  using state = setUp()
  const uids = state.create()
  expect(['a', 'b', 'a'].map((name) => uids.claim(name, NONE))).toEqual([7000, 7001, 7000])
  const successor = state.create()
  expect(['b', 'c'].map((name) => successor.claim(name, NONE))).toEqual([7001, 7002])
  expect(uids.claim('c', NONE)).toBe(7002)
})

test('a rename that a killed agent began does not fail the next one', () => {
  using state = setUp()
  const uids = state.create()
  const uid = uids.claim('spare', NONE)
  symlinkSync('a', state.file(`uids/${uid}.${process.pid}`))
  uids.rename(uid, 'a')
  expect(uids.claim('a', NONE)).toBe(uid)
})

test('a uid goes on with another name', () => {
  using state = setUp()
  const uids = state.create()
  uids.rename(uids.claim('spare', NONE), 'a')
  expect(['a', 'spare'].map((name) => state.create().claim(name, NONE))).toEqual([7000, 7001])
})

test('when all are claimed, a name that no broker has any more loses its uid', () => {
  using state = setUp({ size: 2, used: ['a', 'c'] })
  const uids = state.create()
  expect(['a', 'b', 'c'].map((name) => uids.claim(name, NONE))).toEqual([7000, 7001, 7001])
  expect(() => uids.claim('d', NONE)).toThrow(
    'all uids from 7000 to 7001 are in use. Fix: set a larger range by --broker-uids',
  )
})
