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
  expect(/<title>(.*) &ndash; .* &ndash; wimds<\/title>/.exec(body)?.[1]).toBe(title)
})

test('a warning, as of a changed identities file that is not valid, shows in the title and above the traffic', async () => {
  const renderPage = createStatusPage(() => Promise.resolve(aTrafficSample(1, 5000)))
  const { body } = await renderPage(aStatus({ warnings: ['the old file is still in use'] }))
  expect(body).toContain('<title>Ready, with warnings &ndash;')
  expect(body.indexOf('The old file is still in use')).toBeLessThan(body.indexOf('>Traffic<'))
})
