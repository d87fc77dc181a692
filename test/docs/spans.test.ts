/** Commands within a sentence: what they call exists, and what can be run is. */
import { dirname, join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { runNode } from '../security/run-node.ts'
import { pageOf, ROOT, SPANS } from './pages.ts'
import { callMistakes, PROGRAMS } from './programs.ts'
import { createSandbox, type Sandbox } from './sandbox.ts'
import type { Call } from './verbs.ts'

const NAMES = [...Object.keys(PROGRAMS), 'wimds', 'curl', '.ci/run']

/** A program alone is its name, and one with an ellipsis no call. */
const COMMANDS = SPANS.filter(
  ({ text }) => NAMES.some((name) => text.startsWith(`${name} `)) && !text.includes('…'),
)

let sandbox: Sandbox
beforeAll(async () => {
  sandbox = await createSandbox({ isDry: true })
})
afterAll(() => sandbox[Symbol.asyncDispose]())

test('there are some', () => {
  expect(COMMANDS.length).toBeGreaterThan(30)
})

test.each(COMMANDS)('$place: $text', async (span) => {
  const { code, stderr, calls } = await sandbox.run(span.text)
  if (code !== 0) throw new Error(`it ends with ${code}: ${stderr}`)
  const directory = join(ROOT, dirname(pageOf(span)))
  const mistakes = await Promise.all(
    calls.map(async (call) =>
      call.program === 'wimds' ? await wimdsMistakes(call) : callMistakes(call, directory),
    ),
  )
  expect(mistakes.flat()).toEqual([])
})

/** What the command line itself does not know. A value of a flag may be left out in a sentence. */
async function wimdsMistakes({ args: [command = '', ...args] }: Call): Promise<string[]> {
  const { stdout: usage } = await helpOf()
  if (!new RegExp(`^  ${command} {2,}`, 'm').test(usage)) return [`there is no wimds ${command}`]
  const flags = args.filter((arg) => arg.startsWith('--')).map((arg) => arg.replace(/=.*/, ''))
  if (flags.length === 0) return []
  const { stdout } = await helpOf(command)
  return flags
    .filter((flag) => !new RegExp(`(?<![\\w-])${flag}(?![\\w-])`).test(stdout))
    .map((flag) => `wimds ${command} knows no ${flag}`)
}

const helpOf = (...command: readonly string[]) => runNode(['src/cli.ts', ...command, '--help'])
