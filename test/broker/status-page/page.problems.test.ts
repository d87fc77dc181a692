import { expect, test } from 'vitest'
import { renderProblems } from '../../../src/broker/status-page/page.ts'
import type { StatusDocument } from '../../../src/broker/telemetry/status-schema.ts'
import { aStatus, textOf } from '../../fixtures/status.ts'

type Problem = StatusDocument['problems'][number]

const FAILURE = {
  summary: 'no token for https://vault.azure.net as orders',
  resources: ['https://vault.azure.net'],
  consecutiveFailures: 4,
  failingSince: '2026-11-24T11:45:00.000Z',
  nextAttemptAt: '2026-11-24T12:00:21.000Z',
  failure: { code: 'entra_unreachable', message: 'Entra ID cannot be reached', fix: 'check DNS' },
}
const NO_FILE = {
  summary: 'there is no projected token',
  failingSince: '2026-11-24T11:45:00.000Z',
  failure: { code: 'assertion_missing', message: 'there is no projected token' },
}

const markupOf = (problem: Problem, overrides: Partial<StatusDocument> = {}) =>
  renderProblems(aStatus({ state: 'degraded', problems: [problem], ...overrides })).markup

test('a failing refresh says why, since when, and until when the cached token is served', () => {
  const text = textOf(markupOf({ ...FAILURE, servedUntil: '2026-11-24T12:24:00.000Z' }))
  expect(text).toContain(
    'No token for https://vault.azure.net as orders entra_unreachable Entra ID cannot be reached',
  )
  expect(text).toContain('Fix: check DNS.')
  expect(text).toContain('Failing since 15 min ago 11:45:00 UTC')
  expect(text).toContain('Served until in 24 min 12:24:00 UTC')
  expect(text).toContain('Next attempt in 21 s 12:00:21 UTC')
  expect(text).toContain('Failures in a row 4')
})

test('a fault names what requests fail for while other tokens are still served', () => {
  const withoutToken = [{ identity: 'orders', resource: 'https://storage.azure.com' }]
  const markup = markupOf({ ...NO_FILE, servedUntil: '2026-11-24T12:24:00.000Z', withoutToken })
  expect(textOf(markup)).toContain(
    'Without token Identity orders Resource https://storage.azure.com',
  )
})

const SERVED: Problem = { ...FAILURE, servedUntil: '2026-11-24T12:24:00.000Z' }

test.each<[string, string, Problem, StatusDocument['state']]>([
  ['failing', 'requests fail', FAILURE, 'degraded'],
  ['failing', 'some requests fail', { ...SERVED, withoutToken: [] }, 'degraded'],
  ['degraded', 'all tokens are served', SERVED, 'degraded'],
  ['failing', 'there is no projected token since the start', NO_FILE, 'starting'],
  ['starting', 'the projected token is not read yet', { summary: 'not read yet' }, 'starting'],
])('a problem is %s while %s', (tone, _, problem, state) => {
  expect(markupOf(problem, { state })).toContain(`class="problem ${tone}"`)
})

test.each([
  [
    { inPod: true, namespace: 'shop' },
    undefined,
    'kubectl exec -n shop orders-0 -c wimds -- wimds doctor',
  ],
  [
    { inPod: false, namespace: 'shop' },
    undefined,
    'wimds doctor with the environment of this sidecar',
  ],
  // In mode node the document has the host of the broker, and the pod has no sidecar.
  [{ inPod: true, namespace: 'shop' }, 'shop/orders-1', 'wimds doctor shop/orders-1'],
])('the next step with %j for the pod %s is %s', (where, pod, expected) => {
  const status = aStatus({ problems: [FAILURE], workload: { host: 'orders-0', ...where } })
  const { markup } = renderProblems(status, pod)
  expect(textOf(markup).replace(' .', '.')).toContain(
    `Next, run ${expected}. It prints the commands`,
  )
})

test('a failure has its code as a link, and its message and the ids of Entra ID once', () => {
  const message = 'AADSTS7: no Trace ID: t Correlation ID: c Timestamp: 2026-11-24 11:59:40Z'
  const failure = { code: 'internal', message, fix: 'wait', aadsts: 700213, entraTraceId: 't' }
  const markup = markupOf({ ...FAILURE, failure })
  expect(markup).toMatch(/<a [^>]*href="https:[^"]*\/troubleshooting\.html#internal"/)
  expect(textOf(markup)).toContain('internal AADSTS7: no Fix: wait.')
  expect(textOf(markup)).toContain('AADSTS 700213 Entra trace id t')
  expect(markup).toMatch(/<a href="https:[^"]*\/aadsts\.html#aadsts700213">/)
})
