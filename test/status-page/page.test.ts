import { expect, test } from 'vitest'
import { createStatusPage } from '../../src/status-page/page.ts'
import { aStatus, aTrafficSample } from '../fixtures/status.ts'

test.each([
  ['starting', 'Not ready: starting'],
  ['ready', 'Ready'],
  ['degraded', 'Ready, with problems'],
  // /readyz answers 200 in every state but starting.
  ['failing', 'Failing: no token'],
] as const)('the title in state %s is %s', async (state, title) => {
  const renderPage = createStatusPage(() => Promise.resolve(aTrafficSample(1, 5000)))
  const { body } = await renderPage(aStatus({ state }))
  expect(/<title>(.*) – .* – wimds<\/title>/.exec(body)?.[1]).toBe(title)
})
