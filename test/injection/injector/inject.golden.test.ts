/** Compares injected pods and messages with golden/. A change there is a change of what users get: review it as such. */
import { expect, test } from 'vitest'
import { docsPage } from '../../../src/lib/version.ts'
import { describeInjection } from './effects.ts'
import { ANNOTATIONS } from './golden/annotations.ts'
import { ENDPOINTS } from './golden/endpoints.ts'
import { IDENTITIES } from './golden/identities.ts'
import { NO_PROXY } from './golden/no-proxy.ts'
import { PODS } from './golden/pods.ts'
import { RESOURCES } from './golden/resources.ts'
import { SIDECAR } from './golden/sidecar.ts'
import { TOKENS } from './golden/tokens.ts'

const GOLDEN = {
  sidecar: SIDECAR,
  resources: RESOURCES,
  'no-proxy': NO_PROXY,
  tokens: TOKENS,
  endpoints: ENDPOINTS,
  annotations: ANNOTATIONS,
  pods: PODS,
  identities: IDENTITIES,
}

test.each(Object.entries(GOLDEN))(
  'injects the pods of golden/%s.txt as the file says',
  async (name, cases) => {
    const found = Object.entries(cases).map(
      ([title, each]) => `${title}\n${describeInjection(each)}\n`,
    )
    // A release has the page of its site.
    const text = found.join('\n').replaceAll(docsPage('configuration'), 'docs/configuration.md')
    await expect(text).toMatchFileSnapshot(`golden/${name}.txt`)
  },
)
