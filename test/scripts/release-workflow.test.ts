/** The release's workflow: a dry run publishes nothing. */
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
    }),
  ),
})

test('only a pushed tag starts the job that may write', async () => {
  const workflow = Workflow.parse(parse(await readFile('.github/workflows/release.yml', 'utf8')))
  const writing = Object.entries(workflow.jobs).filter(([, { permissions }]) =>
    Object.values(permissions ?? workflow.permissions).includes('write'),
  )
  expect(writing.map(([name, job]) => [name, job.if])).toEqual([
    ['publish', "github.event_name == 'push'"],
  ])
})
