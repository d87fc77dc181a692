import { readFile } from 'node:fs/promises'
import { expect, test } from 'vitest'
import { createProblem } from '../../src/doctor/problem.ts'

test.each(['sidecar_not_listening', 'sidecar_not_ready', 'identity_not_found'] as const)(
  'links %s to a heading of docs/troubleshooting.md',
  async (code) => {
    const page = await readFile(new URL('../../docs/troubleshooting.md', import.meta.url), 'utf8')
    const { url } = createProblem(code, 'x')
    const [, anchor] = url.split('/docs/troubleshooting.md#')
    expect(page).toMatch(new RegExp(`^#{2,3} ${anchor}$`, 'm'))
  },
)
