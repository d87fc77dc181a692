/** The usage and the argument errors of every command. */
import { expect, test } from 'vitest'
import { COMMANDS as ENTRIES } from '../../src/cli/commands.ts'
import { declareAll, help } from '../../src/cli/help.ts'
import { Settings } from '../../src/broker/config/settings.ts'
import type { Command } from '../../src/lib/command.ts'
import { findPiece } from './secrets.ts'
import { captureIo, runCommand } from '../tools/capture.ts'

const COMMANDS = await Promise.all(
  Object.entries(ENTRIES)
    .filter(([name]) => name !== 'version')
    .map(async ([name, { load }]): Promise<[string, Command]> => [name, await load()]),
)

test('wimds help serve lists the variables and their defaults', async () => {
  const io = captureIo({})
  await help(['serve'], io, ENTRIES)
  for (const name of Object.keys(Settings.shape)) expect(io.out()).toContain(`\n  ${name}`)
  expect(io.out()).toMatch(/ WIMDS_LOG_LEVEL +info\n/)
})

test.each(await declareAll(ENTRIES))(
  '$name has its usage, flags and exit codes explained',
  async (command) => {
    const io = captureIo()
    expect(await help([command.name], io, ENTRIES)).toBe(0)
    expect(io.out()).toMatch(new RegExp(`^usage: wimds ${command.name}\\b`))
    for (const flag of Object.keys(command.flags)) expect(io.out()).toContain(`--${flag}`)
    expect(io.out()).toContain('-h, --help')
    expect(io.out()).toMatch(/^ {2}64 /m)
  },
)

test.each(COMMANDS)('wimds %s prints every problem of its arguments', async (name, command) => {
  // Two problems for each command: these lack their argument, and doctor takes one.
  const lacksArgument = ['inject', 'uninject', 'token', 'node-agent'].includes(name)
  const args = ['--frob', ...(lacksArgument ? [] : ['now']), ...(name === 'doctor' ? ['then'] : [])]
  const { code, out, err } = await runCommand(command, args)
  expect({ code, out }).toEqual({ code: 64, out: '' })
  const line = String.raw`wimds ${name}: .+\n`
  expect(err).toMatch(new RegExp(`^${line}${line}\nSee wimds ${name} --help\\.\n$`))
  expect(err).toContain(
    `wimds ${name}: ${name === 'serve' ? 'unexpected argument --frob. Fix: serve takes no flags; set variables such as WIMDS_LISTEN' : '--frob is not a flag'}`,
  )
})

const JWT = [{ alg: 'RS256', kid: 'a-key' }, { sub: 'system:serviceaccount:shop:orders' }, 'signed']
  .map((part) => Buffer.from(JSON.stringify(part)).toString('base64url'))
  .join('.')

test.each(COMMANDS)('wimds %s redacts a token in its arguments', async (_, command) => {
  const { err } = await runCommand(command, [`--${JWT}`, JWT])
  expect(err).toContain('[redacted]')
  expect(findPiece(JWT, err)).toBeUndefined()
})
