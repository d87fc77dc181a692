/** Every block of the pages is of a known kind, and every block of shell is run. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { BLOCKS, COMMENTED, pageOf } from './pages.ts'
import { callMistakes } from './programs.ts'
import { createSandbox, type Sandbox } from './sandbox.ts'

/** YAML is for test/docs/manifests.test.ts. */
const LANGUAGES = new Set(['', 'mermaid', 'sh', 'yaml'])
const PROMPT_OR_CODE =
  /^(?:\$ |(?:npm|node|wimds|kubectl|curl|helm|az) |(?:api)?[vV]ersion: |kind: )/m

const SHELL = [...BLOCKS.filter(({ language }) => language === 'sh'), ...COMMENTED]

/** What a block prints, by something that it says. */
const OUTPUT: readonly (readonly [string, RegExp])[] = [
  ['/metadata/identity/oauth2/token', /^\{"access_token":"eyJ[^"]+","client_id":/m],
  ['wimds doctor', /^✓ All is well\.$/m],
  ['inject --diff', /^\+ +- name: wimds$/m],
  ['wimds report', /^WORKLOAD +CLIENT +VERSION +REQUESTS +LAST SEEN$/m],
]

let sandbox: Sandbox
beforeAll(async () => {
  sandbox = await createSandbox()
  // Somebody for the report to tell of.
  await fetch(
    `${sandbox.origin}/metadata/identity/oauth2/token?api-version=2018-02-01&resource=https://vault.azure.net`,
    { headers: { Metadata: 'true', 'User-Agent': 'azsdk-python-identity/1.5.0 Python/3.8.10' } },
  )
})
afterAll(() => sandbox[Symbol.asyncDispose]())

test('every block says its language, shell and YAML too', () => {
  const unknown = BLOCKS.filter(({ language }) => !LANGUAGES.has(language))
  const disguised = BLOCKS.filter(
    ({ language, text }) => language === '' && PROMPT_OR_CODE.test(text),
  )
  expect([...unknown, ...disguised].map(({ place }) => place)).toEqual([])
})

describe('shell', () => {
  test('is there', () => {
    expect(SHELL.length).toBeGreaterThan(20)
  })

  test.each(SHELL)('$place runs', { timeout: 60_000 }, async ({ text }) => {
    const { code, stdout, stderr, calls } = await sandbox.run(text)
    if (code !== 0) throw new Error(`it ends with ${code}: ${stderr}`)
    expect(calls.flatMap((call) => callMistakes(call, sandbox.directory))).toEqual([])
    const missing = OUTPUT.filter(([said, output]) => text.includes(said) && !output.test(stdout))
    expect(missing).toEqual([])
  })
})

test('the report of docs/status-page.md is what wimds prints', async () => {
  const told = BLOCKS.find(
    (block) => pageOf(block) === 'docs/status-page.md' && block.text.startsWith('WORKLOAD'),
  )
  const { stdout } = await sandbox.run('wimds report --url http://localhost:9169')
  expect(timeless(stdout)).toBe(timeless(told?.text ?? ''))
})

/** Without what is another thing in each report. */
const timeless = (text: string) =>
  text.replaceAll(/\b\d+ +(?=\d{4}-)/g, 'N ').replaceAll(/\d{4}-\d\d-\d\d \d\d:\d\d UTC/g, 'WHEN')
