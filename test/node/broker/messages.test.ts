import { expect, test } from 'vitest'
import {
  AgentMessage,
  BrokerMessage,
  KeysAnswer,
  selectKeys,
  type TokenKey,
} from '../../../src/node/broker/messages.ts'

const createKey = (scope: string): TokenKey => ['11111111-1111-4111-8111-111111111111', scope]

test('a message names the last keys, without those that it cannot name', () => {
  const keys = Array.from({ length: 250 }, (_, index) => createKey(`api://${index}/.default`))
  const selected = selectKeys([...keys, createKey('x'.repeat(257))])
  expect(selected).toEqual(keys.slice(50))
  expect(KeysAnswer.safeParse([{ uids: ['pod'], keys: selected }]).success).toBe(true)
})

test('an answer that is too large is sent without it, which the agent takes', () => {
  const sent = JSON.stringify({ type: 'answer', id: 1, answer: undefined })
  expect(BrokerMessage.safeParse(JSON.parse(sent))).toMatchObject({ success: true })
  expect(AgentMessage.safeParse(JSON.parse(sent))).toMatchObject({ success: true })
})
