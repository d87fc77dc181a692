import { describe, expect, test, vi } from 'vitest'
import { listKeys } from '../../../src/node/broker/fetch-tokens.ts'
import {
  AgentMessage,
  BrokerMessage,
  KeysAnswer,
  selectKeys,
  type TokenKey,
} from '../../../src/node/broker/messages.ts'
import { ask } from '../../broker/tokens/callers.ts'
import { other } from '../../broker/tokens/scripted-entra.ts'
import { setUp, useFakeTime } from '../../broker/tokens/setup.ts'

const createKey = (scope: string): TokenKey => ['11111111-1111-4111-8111-111111111111', scope]

test('a message names the last keys, without those that it cannot name', () => {
  const keys = Array.from({ length: 250 }, (_, index) => createKey(`api://${index}/.default`))
  const selected = selectKeys([...keys, createKey('x'.repeat(257))])
  expect(selected).toEqual(keys.slice(50))
  expect(KeysAnswer.safeParse([{ uids: ['pod'], keys: selected }]).success).toBe(true)
})

describe('the keys of a cache', () => {
  useFakeTime()

  test('are in the order in which they were used last', async () => {
    const { cache, get } = setUp()
    for (const name of ['a', 'b', 'c', 'a']) {
      await ask(get, other(name))
      await vi.advanceTimersByTimeAsync(1)
    }
    const scopes = listKeys({ entries: () => cache.entries() }).map(([, scope]) => scope)
    expect(scopes).toEqual(['b', 'c', 'a'].map((name) => other(name).scope))
  })
})

test('an answer that is too large is sent without it, which the agent takes', () => {
  const sent = JSON.stringify({ type: 'answer', id: 1, answer: undefined })
  expect(BrokerMessage.safeParse(JSON.parse(sent))).toMatchObject({ success: true })
  expect(AgentMessage.safeParse(JSON.parse(sent))).toMatchObject({ success: true })
})
