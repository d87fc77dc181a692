import { expect, test } from 'vitest'
import { type FlagDeclarations, parseFlags } from '../../src/lib/args.ts'

const FLAGS = {
  output: { short: 'o', value: 'FORMAT', choices: ['text', 'json'], help: '' },
  for: { value: 'SET', choices: ['imds', 'cloud-shell'], isList: true, help: '' },
  port: { value: 'PORT', help: '' },
  quiet: { short: 'q', help: '' },
  'tenant-id': { value: 'ID', help: '' },
} as const satisfies FlagDeclarations

test.each([['--output=json'], ['-ojson'], ['-qo json'], ['-o text -o json']])(
  'reads the value of %j',
  (line) => {
    const flags = parseFlags(line.split(' '), { flags: FLAGS })
    expect(flags.problems).toEqual([])
    expect(flags.value('output')).toBe('json')
    expect(flags.has('quiet')).toBe(line.startsWith('-q'))
  },
)

test('keeps every value and every positional in order, and reports those that are too many', () => {
  const flags = parseFlags(['a', '--port', '1', '-', '--port=-2', '--', '--quiet'], {
    flags: FLAGS,
    arguments: '[POD]',
  })
  expect(flags.values('port')).toEqual(['1', '-2'])
  expect(flags.positionals).toEqual(['a', '-', '--quiet'])
  expect(flags.problems).toEqual(['unexpected argument -', 'unexpected argument --quiet'])
})

test.each([
  ['--rpot=1', '--rpot is not a flag of this command. Did you mean --port?'],
  ['--tenant x', '--tenant is not a flag of this command. Did you mean --tenant-id?'],
  ['--shell', '--shell is not a flag of this command'],
  ['--frobnicate', '--frobnicate is not a flag of this command'],
  ['--x', '--x is not a flag of this command'],
  ['--port', '--port needs a value'],
  ['--port --quiet', '--port needs a value'],
  ['--quiet=yes', '--quiet takes no value'],
  ['-o josn', '-o josn: must be one of text, json. Did you mean json?'],
  [
    '--for imds,cloudshell',
    '--for cloudshell: must be one of imds, cloud-shell. Did you mean cloud-shell?',
  ],
])('explains the problem of %j', (line, problem) => {
  expect(parseFlags(line.split(' '), { flags: FLAGS }).problems[0]).toBe(problem)
})

test.each([
  ['-f x', 'FILE...', '-f is not a flag of this command: FILE is an argument'],
  ['--filename=x', 'FILE...', '--filename is not a flag of this command: FILE is an argument'],
  ['--pod x', '[POD]', '--pod is not a flag of this command: POD is an argument'],
  ['pod x', '[POD]', 'unexpected argument x'],
])('shows for %j the argument %s by an example', (line, form, problem) => {
  const examples = [
    'kubectl get pods | wimds a',
    'wimds a    # in another terminal',
    'wimds a shop/orders',
  ]
  const declaration = { flags: FLAGS, arguments: form, examples }
  const expected = `${problem}. Example: wimds a shop/orders`
  expect(parseFlags(line.split(' '), declaration).problems).toEqual([expected])
})

test('says nothing of an argument to a command without one', () => {
  const { problems } = parseFlags(['-f', 'x'], { flags: FLAGS })
  expect(problems).toEqual(['-f is not a flag of this command', 'unexpected argument x'])
})

test('does not take a flag of the command for its argument', () => {
  const { problems } = parseFlags(['--port', '1'], { flags: FLAGS, arguments: '[PORT]' })
  expect(problems).toEqual([])
})

test('explains the values of a flag if none is similar', () => {
  const flags = { ...FLAGS, output: { ...FLAGS.output, help: 'text, or json: for Bicep' } }
  expect(parseFlags(['-o', 'bicep'], { flags }).problems).toEqual([
    '-o bicep: must be one of text, json. --output: text, or json: for Bicep',
  ])
})
