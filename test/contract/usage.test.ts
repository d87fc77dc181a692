/** The usage and the argument errors of every command. */
import { execFileSync } from 'node:child_process'
import { expect, test } from 'vitest'
import { demo } from '../../src/commands/demo/demo.ts'
import { doctor } from '../../src/commands/doctor.ts'
import { ALL_COMMANDS } from '../../src/commands/declarations/all.ts'
import { env } from '../../src/commands/env.ts'
import { help } from '../../src/commands/help.ts'
import { Settings } from '../../src/config/settings.ts'
import { inject } from '../../src/commands/inject/inject.ts'
import { uninject } from '../../src/commands/inject/uninject.ts'
import type { Command } from '../../src/commands/io.ts'
import { nodeAgent } from '../../src/commands/node-agent/node-agent.ts'
import { probe } from '../../src/commands/probe.ts'
import { redirect } from '../../src/commands/redirect.ts'
import { report } from '../../src/commands/report/report.ts'
import { serve } from '../../src/commands/serve/serve.ts'
import { simulate } from '../../src/commands/simulate/simulate.ts'
import { token } from '../../src/commands/token.ts'
import { trust } from '../../src/commands/trust.ts'
import { webhook } from '../../src/commands/webhook/webhook.ts'
import { findPiece } from './secrets.ts'
import { captureIo, exitCode, nameOf } from '../commands/capture.ts'

const COMMANDS = [
  serve,
  demo,
  simulate,
  inject,
  uninject,
  trust,
  redirect,
  webhook,
  nodeAgent,
  probe,
  report,
  doctor,
  token,
  env,
].map((command): readonly [string, Command] => [nameOf(command), command])

async function run(command: Command, args: readonly string[]) {
  const io = captureIo()
  const code = await exitCode(command, args, io)
  return { code, out: io.out(), err: io.err() }
}

test('lists every command', () => {
  const usage = execFileSync(process.execPath, ['src/cli.ts', 'help'], { encoding: 'utf8' })
  const named = [...usage.matchAll(/^ {2}([a-z][a-z-]*) {2}/gm)].map(([, name]) => name)
  expect(new Set(named)).toEqual(
    new Set([...COMMANDS.map(([name]) => name), 'completion', 'version', 'help']),
  )
})

test('wimds help serve lists the variables and their defaults', async () => {
  const io = captureIo({})
  await help(['serve'], io)
  for (const name of Object.keys(Settings.shape)) expect(io.out()).toContain(`\n  ${name}`)
  expect(io.out()).toMatch(/ WIMDS_LOG_LEVEL +info\n/)
})

test.each(ALL_COMMANDS)('$name has its usage, flags and exit codes explained', async (command) => {
  const io = captureIo()
  expect(await help([command.name], io)).toBe(0)
  expect(io.out()).toMatch(new RegExp(`^usage: wimds ${command.name}\\b`))
  for (const flag of Object.keys(command.flags)) expect(io.out()).toContain(`--${flag}`)
  expect(io.out()).toContain('-h, --help')
  expect(io.out()).toMatch(/^ {2}64 /m)
})

test.each(COMMANDS)('wimds %s prints every problem of its arguments', async (name, command) => {
  // Two problems for each command: these lack their argument.
  const args = [inject, uninject, token, nodeAgent].includes(command)
    ? ['--frob']
    : ['--frob', 'now']
  const { code, out, err } = await run(command, args)
  expect({ code, out }).toEqual({ code: 64, out: '' })
  const line = String.raw`wimds ${name}: .+\n`
  expect(err).toMatch(new RegExp(`^${line}${line}\nSee wimds ${name} --help\\.\n$`))
  expect(err).toContain(
    `wimds ${name}: ${command === serve ? 'unexpected argument --frob. Fix: serve takes no flags; set variables such as WIMDS_LISTEN' : '--frob is not a flag'}`,
  )
})

const JWT = [{ alg: 'RS256', kid: 'a-key' }, { sub: 'system:serviceaccount:shop:orders' }, 'signed']
  .map((part) => Buffer.from(JSON.stringify(part)).toString('base64url'))
  .join('.')

test.each(COMMANDS)('wimds %s redacts a token in its arguments', async (_, command) => {
  const { err } = await run(command, [`--${JWT}`, JWT])
  expect(err).toContain('[redacted]')
  expect(findPiece(JWT, err)).toBeUndefined()
})
