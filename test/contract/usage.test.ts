/** The argument errors of every command. docs/cli.md has their usage. */
import { expect, test } from 'vitest'
import { COMMANDS as ENTRIES } from '../../src/cli/commands.ts'
import type { Command } from '../../src/lib/command.ts'
import { findPiece } from './secrets.ts'
import { runCommand } from '../tools/capture.ts'

const COMMANDS = await Promise.all(
  Object.entries(ENTRIES)
    .filter(([name]) => name !== 'version')
    .map(async ([name, { load }]): Promise<[string, Command]> => [name, await load()]),
)

test.each(COMMANDS)('wimds %s prints every problem of its arguments', async (name, command) => {
  // Two problems for each command: these lack their argument, and doctor takes one. A missing registry may be a third.
  const lacksArgument = ['inject', 'uninject', 'token', 'node-agent'].includes(name)
  const args = ['--frob', ...(lacksArgument ? [] : ['now']), ...(name === 'doctor' ? ['then'] : [])]
  const { code, out, err } = await runCommand(command, args)
  expect({ code, out }).toEqual({ code: 64, out: '' })
  const line = String.raw`wimds ${name}: .+\n`
  expect(err).toMatch(new RegExp(`^(?:${line}){2,3}\nSee wimds ${name} --help\\.\n$`))
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
