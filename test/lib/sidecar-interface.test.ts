/** Checks that files that cannot import the defaults have the same values. */
import { readFile } from 'node:fs/promises'
import { expect, test } from 'vitest'
import { DROP_IN_PORT } from '../../src/cli/drop-in.ts'
import { DEFAULT_ADMIN_PORT, DEFAULT_PORT, DEFAULT_UID } from '../../src/lib/sidecar-interface.ts'

test.each([
  ['Dockerfile', `\nUSER ${DEFAULT_UID}:${DEFAULT_UID}\n`],
  ['Dockerfile', `\nEXPOSE ${DEFAULT_PORT} ${DEFAULT_ADMIN_PORT}\n`],
  ['native/wimds.c', `{.port = ${DEFAULT_PORT},`],
  ['native/wimds.c', `DROP_IN_PORT = ${DROP_IN_PORT},`],
  ['charts/wimds/templates/injection-policy.yaml', `orValue('${DEFAULT_PORT}')`],
  ['charts/wimds/values.yaml', `\n  uid: ${DEFAULT_UID}\n`],
])('%s has %j', async (file, line) => {
  expect(await readFile(file, 'utf8')).toContain(line)
})
