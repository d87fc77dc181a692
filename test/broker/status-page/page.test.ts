import { expect, test } from 'vitest'
import { renderPage, renderProblems } from '../../../src/broker/status-page/page.ts'
import type { StatusDocument } from '../../../src/broker/telemetry/status-schema.ts'
import { docsPage, IS_RELEASED } from '../../../src/lib/version.ts'
import { aStatus, textOf } from '../../fixtures/status.ts'
import { observeBusy } from '../telemetry/observed.ts'

type Problem = StatusDocument['problems'][number]

test('a sidecar with each kind of event and problem has this page', async () => {
  const status = {
    ...observeBusy().document([{ name: 'WIMDS_LISTEN', value: '[::1]:1', source: 'environment' }]),
    workload: aStatus().workload,
    build: aStatus().build,
    warnings: ['the old file is still in use'],
  }
  const { body } = renderPage(status)
  const parts = body
    .replace(/<style>[^]*<\/style>/, '')
    .split(/(?=<title|<h1|<footer|<section|<div class="problem|<tr>)/)
  await expect(parts.map(textOf).join('\n')).toMatchFileSnapshot('golden/page.txt')
})

test('a client or a token that calls again keeps its row, and failing tokens come first', () => {
  const failure = { code: 'entra_unreachable', message: 'Entra ID cannot be reached' }
  const clients = aStatus().clients.flatMap((client) =>
    ['1.5.0', '1.12.0'].map((version) => ({ ...client, version })),
  )
  const tokens = aStatus().tokens.flatMap((token) => [
    { ...token, resource: 'https://a' },
    { ...token, resource: 'https://b', failure },
  ])
  const { body } = renderPage(aStatus({ clients, tokens }))
  const reversed = { clients: clients.toReversed(), tokens: tokens.toReversed() }
  expect(renderPage(aStatus(reversed)).body).toBe(body)
  expect(body.indexOf('https://<wbr />b')).toBeLessThan(body.indexOf('https://<wbr />a'))
})

test('a failed request has its fix, unless a problem shows the same fix', () => {
  const failure = { code: 'identity_not_found', message: 'Not found', fix: 'name another one' }
  const textWith = (fix: string) => {
    const exchanges = aStatus().exchanges.map((each) => ({ ...each, failure }))
    const problems = [{ summary: 'no token', failure: { ...failure, fix } }]
    const [, rest = ''] = renderPage(aStatus({ exchanges, problems })).body.split('id="exchanges"')
    return textOf(rest.split('</section>')[0] ?? '')
  }
  expect(textWith('wait')).toMatch(/identity_not_found Not found Fix: name another one\.$/)
  expect(textWith(failure.fix)).toMatch(/ identity_not_found$/)
})

test('no value becomes markup', () => {
  const resource = `"'><script>alert(1)</script>&lt;`
  const tokens = aStatus().tokens.map((token) => ({ ...token, resource, identity: resource }))
  const { body } = renderPage(aStatus({ tokens }))
  expect(body).not.toMatch(/<script|&lt;/)
  expect(textOf(body)).toContain(resource)
})

const FAILURE: Problem = {
  summary: 'no token',
  failure: { code: 'internal', message: 'AADSTS7: no', aadsts: 700213 },
}
const SERVED: Problem = { ...FAILURE, servedUntil: '2026-11-24T12:24:00.000Z' }

test.each<[string, string, Problem, StatusDocument['state']]>([
  ['failing', 'requests fail', FAILURE, 'degraded'],
  ['failing', 'some requests fail', { ...SERVED, withoutToken: [] }, 'degraded'],
  ['degraded', 'all tokens are served', SERVED, 'degraded'],
  ['failing', 'there is no projected token since the start', FAILURE, 'starting'],
  ['starting', 'the projected token is not read yet', { summary: 'not read yet' }, 'starting'],
])('a problem is %s while %s', (tone, _, problem, state) => {
  const { markup } = renderProblems(aStatus({ state, problems: [problem] }))
  expect(markup).toContain(`class="problem ${tone}"`)
})

test('a failure links to the pages of its codes, or names them while no release has published them', () => {
  const { markup } = renderProblems(aStatus({ problems: [FAILURE] }))
  const attribute = IS_RELEASED ? '<a [^>]*href' : '<span [^>]*title'
  for (const page of [docsPage('troubleshooting', 'internal'), docsPage('aadsts', 'aadsts700213')])
    expect(markup).toMatch(new RegExp(`${attribute}="${page}">`))
})

test.each([
  [true, undefined, 'kubectl exec -n shop orders-0 -c wimds -- wimds doctor'],
  [false, undefined, 'wimds doctor with the environment of this sidecar'],
  // In mode node the document has the host of the broker, and the pod has no sidecar.
  [true, 'shop/orders-1', 'wimds doctor shop/orders-1'],
])(
  'the page names the next step of a sidecar in a pod (%s), or of the pod %s of a node: %s',
  (inPod, pod, expected) => {
    const workload = { host: 'orders-0', namespace: 'shop', inPod }
    const { markup } = renderProblems(aStatus({ problems: [FAILURE], workload }), pod)
    expect(textOf(markup).replace(' .', '.')).toContain(`Next, run ${expected}. It prints`)
  },
)
