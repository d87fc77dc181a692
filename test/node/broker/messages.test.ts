import { expect, test } from 'vitest'
import { KeysAnswer, selectKeys, type TokenKey } from '../../../src/node/broker/messages.ts'

const createKey = (scope: string): TokenKey => ['11111111-1111-4111-8111-111111111111', scope]

test('a message names the keys that were used last, without those that it cannot name', () => {
  // As the cache has them: the key that was used last is the last one.
  const keys = Array.from({ length: 250 }, (_, index) => createKey(`api://${index}/.default`))
  const selected = selectKeys([...keys, createKey('x'.repeat(257))])
  expect(selected).toEqual(keys.slice(50))
  expect(KeysAnswer.safeParse([{ uids: ['pod'], keys: selected }]).success).toBe(true)
})
