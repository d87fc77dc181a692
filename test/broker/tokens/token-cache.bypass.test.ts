import { expect, test, vi } from 'vitest'
import { ask, textsOf } from './callers.ts'
import { VAULT } from './scripted-entra.ts'
import { HOUR_MS, MINUTE_MS, range, setUp, setUpLimited, TIMEOUT_MS, useFakeTime } from './setup.ts'

const BYPASS = { ...VAULT, bypassCache: true }
const token = (number: number) => `${VAULT.scope} #${number}`

useFakeTime()

test('bypass_cache starts at most one exchange a minute', async () => {
  const { entra, get } = setUp()
  const texts = []
  for (let second = 0; second < 120; second += 1) {
    texts.push((await ask(get, BYPASS)).text)
    await vi.advanceTimersByTimeAsync(1000)
  }
  expect(new Set(texts)).toEqual(new Set([token(1), token(2)]))
  expect(texts.indexOf(token(2))).toBe(60)
  expect(entra.exchanges).toHaveLength(2)
})

test('bypass_cache gets the cached token after 2 s if Entra ID does not answer, then at once', async () => {
  const { entra, get } = setUp()
  await ask(get, VAULT)
  await vi.advanceTimersByTimeAsync(MINUTE_MS)
  entra.behave({ latencyMs: 10_000, error: 'entra_timeout' })
  const first = ask(get, BYPASS)
  await vi.advanceTimersByTimeAsync(500)
  const second = ask(get, BYPASS)
  await vi.advanceTimersByTimeAsync(1500)
  expect(await first).toMatchObject({ text: token(1), tookMs: 2000 })
  expect(await second).toMatchObject({ text: token(1), tookMs: 1500 })
  expect(await ask(get, BYPASS)).toMatchObject({ text: token(1), tookMs: 0 })
  await vi.advanceTimersByTimeAsync(10 * MINUTE_MS)
  expect(await ask(get, BYPASS)).toMatchObject({ text: token(1), tookMs: 0 })
})

test('bypass_cache gets the token of another attempt if the cached one expires while it waits', async () => {
  const { entra, get } = setUpLimited()
  entra.behave({ lifetimeMs: MINUTE_MS + 1000 })
  await ask(get, VAULT)
  await vi.advanceTimersByTimeAsync(90_600)
  entra.behave({ latencyMs: HOUR_MS }, {})
  const answer = ask(get, BYPASS)
  await vi.advanceTimersByTimeAsync(TIMEOUT_MS)
  expect((await answer).text).toBe(token(4))
  expect((await answer).tookMs).toBeLessThanOrEqual(2100)
})

test('bypass_cache waits for no longer than any other request for a credential that may be new', async () => {
  const { entra, get } = setUp({ timeoutMs: TIMEOUT_MS })
  entra.behave({ error: 'federated_credential_not_found' })
  await ask(get, BYPASS)
  entra.behave({ latencyMs: HOUR_MS })
  const answer = ask(get, BYPASS)
  await vi.advanceTimersByTimeAsync(MINUTE_MS)
  expect(await answer).toMatchObject({ text: 'federated_credential_not_found', tookMs: TIMEOUT_MS })
})

test('a token in its last seconds is replaced before callers get it', async () => {
  const { entra, get } = setUp()
  await ask(get, VAULT)
  // The token was refreshed once, and is not in use.
  await vi.advanceTimersByTimeAsync(90 * MINUTE_MS - 10_000)
  entra.behave({ latencyMs: 100 })
  const answers = Promise.all(range(20).map(() => ask(get, VAULT)))
  await vi.advanceTimersByTimeAsync(100)
  expect(textsOf(await answers)).toEqual([token(3)])
  expect(entra.exchanges).toHaveLength(3)
})
