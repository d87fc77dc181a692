/** The release's workflows: a dry run publishes nothing, and what they run is what the rehearsal runs. */
import { readFile } from 'node:fs/promises'
import { expect, test } from 'vitest'
import { parse } from 'yaml'
import { z } from 'zod'

const Workflow = z.object({
  permissions: z.record(z.string(), z.string()),
  jobs: z.record(
    z.string(),
    z.object({
      if: z.string().optional(),
      permissions: z.record(z.string(), z.string()).optional(),
      steps: z.array(z.object({ run: z.string().optional() })).optional(),
    }),
  ),
})

const read = async (name: string) =>
  Workflow.parse(parse(await readFile(`.github/workflows/${name}.yml`, 'utf8')))

/** Commands that only GitHub's machines need, or that other tests run. */
const NOT_REHEARSED = [
  'test "$GITHUB_REF_NAME" = "v$(node -p \'require("./package.json").version\')"',
  '.ci/run setup check test',
  'sudo apt-get update && sudo apt-get install --yes buildah',
  'sudo apt-get update && sudo apt-get install --yes buildah',
  'echo "$HOME/programs" >> "$GITHUB_PATH"',
  'gh run download "$GITHUB_RUN_ID" --dir built',
]

test('only a pushed tag starts the job that may write', async () => {
  const workflow = await read('release')
  const writing = Object.entries(workflow.jobs).filter(([, { permissions }]) =>
    Object.values(permissions ?? workflow.permissions).includes('write'),
  )
  expect(writing.map(([name, job]) => [name, job.if])).toEqual([
    ['publish', "github.event_name == 'push'"],
  ])
})

test('the rehearsal runs the commands of the workflows, except those of a list', async () => {
  const jobs = [
    ...Object.values((await read('release')).jobs),
    ...Object.values((await read('publish')).jobs),
  ]
  const commands = jobs
    .flatMap(({ steps = [] }) => steps)
    .flatMap(({ run }) => run?.trim().split('\n') ?? [])
  const rehearsal = ['rehearse', 'release'].map((name) =>
    readFile(`scripts/release/${name}.sh`, 'utf8'),
  )
  const text = (await Promise.all(rehearsal)).join('')
  const isRehearsed = (command: string) => {
    const [program = ''] =
      /scripts\/release\/[a-z]+\.sh|skopeo login|npm run package/.exec(command) ?? []
    return program !== '' && text.replaceAll('npm run --silent', 'npm run').includes(program)
  }
  expect(commands.filter((command) => !isRehearsed(command))).toEqual(NOT_REHEARSED)
})
