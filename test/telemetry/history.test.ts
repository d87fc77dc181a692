import { expect, test } from 'vitest'
import { createHistory } from '../../src/telemetry/history.ts'
import { exchange } from './observed.ts'

test('keeps no token', () => {
  const history = createHistory(() => 0)
  history.onExchange(exchange())
  expect(history.exchanges()[0]?.outcome).toEqual({ ok: true })
})
