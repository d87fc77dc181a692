import { expect, test } from 'vitest'
import { parseSettingFlag } from '../../src/lib/setting-flag.ts'
import { tenant } from '../../src/sidecar/config/parsers.ts'
import { parseFlags } from '../../src/lib/args.ts'

const DECLARATIONS = { 'tenant-id': { value: 'ID', help: 'tenant' } }

test.each([
  [[], undefined, []],
  // As in the issuer of the tenant's tokens.
  [
    ['--tenant-id', 'AAAAAAAA-2222-4222-8222-222222222222'],
    'aaaaaaaa-2222-4222-8222-222222222222',
    [],
  ],
  [
    ['--tenant-id', 'common'],
    undefined,
    ['--tenant-id must name one tenant, and "common" does not'],
  ],
])('parses %j as a setting is parsed', (args, expected, expectedProblems) => {
  const problems: string[] = []
  expect(parseSettingFlag(parseFlags(args, DECLARATIONS), 'tenant-id', tenant, problems)).toBe(
    expected,
  )
  expect(problems).toEqual(expectedProblems)
})
