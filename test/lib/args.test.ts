import { expect, test } from 'vitest'
import { type FlagDeclarations, parseFlags, parseSettingFlag } from '../../src/lib/args.ts'
import { tenant } from '../../src/service/parsers.ts'

const FLAGS = {
  output: { short: 'o', value: 'FORMAT', choices: ['text', 'json'], help: '' },
  for: { value: 'SET', choices: ['imds', 'cloud-shell'], isList: true, help: '' },
  port: { value: 'PORT', help: '' },
  quiet: { short: 'q', help: '' },
} as const satisfies FlagDeclarations

test.each([
  ['--output json'],
  ['--output=json'],
  ['-o json'],
  ['-ojson'],
  ['-q -o json'],
  ['-qo json'],
  ['-o text -o json'],
])('reads the value of %j', (line) => {
  const flags = parseFlags(line.split(' '), FLAGS)
  expect(flags.problems).toEqual([])
  expect(flags.value('output')).toBe('json')
  expect(flags.has('quiet')).toBe(line.startsWith('-q'))
})

test('keeps every value and every positional in order, and reports those that are too many', () => {
  const flags = parseFlags(['a', '--port', '1', '-', '--port=-2', '--', '--quiet'], FLAGS, 1)
  expect(flags.values('port')).toEqual(['1', '-2'])
  expect(flags.positionals).toEqual(['a', '-', '--quiet'])
  expect(flags.problems).toEqual(['unexpected argument -', 'unexpected argument --quiet'])
})

test.each([
  ['--ouput=json', '--ouput is not a flag of this command. Did you mean --output?'],
  ['--rpot=1', '--rpot is not a flag of this command. Did you mean --port?'],
  ['--frobnicate', '--frobnicate is not a flag of this command'],
  ['-x', '-x is not a flag of this command'],
  ['--port', '--port needs a value'],
  ['--port --quiet', '--port needs a value'],
  ['--quiet=yes', '--quiet takes no value'],
  ['-o josn', '-o josn: must be one of text, json. Did you mean json?'],
  ['-o JSON', '-o JSON: must be one of text, json. Did you mean json?'],
  [
    '--for imds,cloudshell',
    '--for cloudshell: must be one of imds, cloud-shell. Did you mean cloud-shell?',
  ],
])('explains the problem of %j', (line, problem) => {
  expect(parseFlags(line.split(' '), FLAGS).problems[0]).toBe(problem)
})

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
    ['--tenant-id must name one tenant, but "common" does not'],
  ],
])('parses %j as a setting is parsed', (args, expected, expectedProblems) => {
  const problems: string[] = []
  expect(parseSettingFlag(parseFlags(args, DECLARATIONS), 'tenant-id', tenant, problems)).toBe(
    expected,
  )
  expect(problems).toEqual(expectedProblems)
})
